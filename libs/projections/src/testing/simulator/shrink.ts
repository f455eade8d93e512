import type { Fault, Schedule } from './schedule.js'

/**
 * The shortest schedule that still breaks something: leaves out faults, users, events and processes, one after the other and
 * in halves first, as long as what is left still fails.
 *
 * @param fails runs a schedule; true when it breaks a law
 */
export async function shrink(
  schedule: Schedule,
  fails: (candidate: Schedule) => Promise<boolean>,
  { attempts }: { readonly attempts: number },
): Promise<Schedule> {
  let best = schedule
  let left = attempts
  const tryOne = async (candidate: Schedule) => {
    if (left-- <= 0 || !(await fails(candidate))) return false
    best = candidate
    return true
  }
  for (let isSmaller = true; isSmaller && left > 0; ) {
    isSmaller = false
    for (const pass of PASSES) {
      // The pass is asked anew after each success: what it offers depends on what is left.
      for (let at = 0; left > 0; ) {
        const candidates = pass(best)
        if (at >= candidates.length) break
        if (await tryOne(candidates[at] as Schedule)) isSmaller = true
        else at++
      }
    }
  }
  return best
}

type Pass = (schedule: Schedule) => readonly Schedule[]

const PASSES: readonly Pass[] = [
  (schedule) => without(schedule.faults).map((faults) => ({ ...schedule, faults })),
  (schedule) => withoutUsers(schedule),
  (schedule) => withoutLastVersions(schedule),
  (schedule) => fewerProcesses(schedule),
  (schedule) => (schedule.isCalm ? [] : [{ ...schedule, isCalm: true }]),
  (schedule) => (schedule.partitions > 1 ? [{ ...schedule, partitions: schedule.partitions - 1 }] : []),
  (schedule) => (schedule.batch === 500 ? [] : [{ ...schedule, batch: 500 }]),
  (schedule) => earlierWrites(schedule),
  (schedule) => simplerFaults(schedule),
]

/** Without each half, then without each one. */
function without<T>(items: readonly T[]): T[][] {
  const half = items.length >> 1
  const halves = items.length > 3 ? [items.slice(half), items.slice(0, half)] : []
  return [...halves, ...items.map((_, left) => items.filter((_, index) => index !== left))]
}

function withoutUsers(schedule: Schedule): Schedule[] {
  const users = [...new Set(schedule.writes.map(({ user }) => user))]
  if (users.length < 2) return []
  return without(users).map((kept) => ({
    ...schedule,
    writes: schedule.writes.filter(({ user }) => kept.includes(user)),
    faults: schedule.faults.filter((fault) => !('user' in fault) || kept.includes(fault.user)),
  }))
}

function withoutLastVersions(schedule: Schedule): Schedule[] {
  const last = new Map<number, number>()
  for (const { user, version } of schedule.writes) last.set(user, Math.max(version, last.get(user) ?? 0))
  return [...last].flatMap(([user, version]) =>
    version === 1
      ? []
      : [
          {
            ...schedule,
            writes: schedule.writes.filter((write) => write.user !== user || write.version < version),
            faults: schedule.faults.filter(
              (fault) => !('user' in fault && 'version' in fault) || fault.user !== user || fault.version < version,
            ),
          },
        ],
  )
}

function fewerProcesses(schedule: Schedule): Schedule[] {
  const processes = schedule.processes - 1
  if (processes === 0) return []
  const faults = schedule.faults.filter((fault) => !('process' in fault) || fault.process < processes)
  return [{ ...schedule, processes, faults }]
}

function earlierWrites(schedule: Schedule): Schedule[] {
  if (schedule.writes.every(({ atMs }) => atMs === 0)) return []
  return [{ ...schedule, writes: schedule.writes.map((write) => ({ ...write, atMs: 0 })) }]
}

/** Numbers that say less: the first step, the shortest time. */
function simplerFaults(schedule: Schedule): Schedule[] {
  return schedule.faults.flatMap((fault, at) =>
    simpler(fault).map((other) => ({ ...schedule, faults: schedule.faults.with(at, other) })),
  )
}

function simpler(fault: Fault): Fault[] {
  const found: Fault[] = []
  for (const key of ['times', 'size', 'back', 'ahead', 'downMs', 'forMs', 'unawareMs', 'atMs'] as const) {
    const value = (fault as unknown as Record<string, number | undefined>)[key]
    const least = key === 'times' || key === 'size' || key === 'back' || key === 'ahead' ? 1 : 0
    if (value !== undefined && value > least) found.push({ ...fault, [key]: value > 16 ? value >> 1 : least } as Fault)
  }
  return found
}
