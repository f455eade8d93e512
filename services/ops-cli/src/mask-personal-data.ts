import type { UserLifecycleEvent } from '@rollcall/events'

const MASK = '•••'

/** The event with every personal value of its user replaced by a mask; ids, versions, status and times stay. */
export function maskPersonalData(event: UserLifecycleEvent): UserLifecycleEvent {
  const { user } = event
  const hidden = (value: string | null) => (value === null ? null : MASK)
  return {
    ...event,
    user: {
      ...user,
      userName: MASK,
      emails: user.emails.map((email) => ({ ...email, value: MASK })),
      name: user.name && {
        given: hidden(user.name.given),
        family: hidden(user.name.family),
        display: hidden(user.name.display),
      },
      phone: hidden(user.phone),
      locale: hidden(user.locale),
      timezone: hidden(user.timezone),
      attributes: Object.fromEntries(Object.keys(user.attributes).map((key) => [key, MASK])),
    },
  }
}
