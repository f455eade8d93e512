import { cloudEventHeaders, sequenceOf } from '../src/cloud-event-headers.js'
import { userDeleted } from '../src/testing/index.js'
import { userLifecycle } from '../src/user-lifecycle.js'

const source = '/services/user-registry'

test('a record says in its headers what it is, about whom and in which order', () => {
  const event = userDeleted()
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  expect(cloudEventHeaders(event, { source, traceparent })).toEqual({
    ce_specversion: '1.0',
    ce_id: event.eventId,
    ce_type: userLifecycle.recordNames.UserDeleted,
    ce_source: source,
    ce_subject: userLifecycle.key(event),
    ce_time: event.occurredAt.toISOString(),
    ce_sequence: '2',
    ce_tenantid: event.tenantId,
    ce_correlationid: event.correlationId,
    'content-type': 'application/avro',
    traceparent,
  })
  expect(cloudEventHeaders(event, { source })).not.toHaveProperty('traceparent')
})

test('no header carries personal data', () => {
  const event = userDeleted()
  const { userName, emails, phone, name } = event.user
  const text = JSON.stringify(cloudEventHeaders(event, { source }))
  for (const personal of [userName, ...emails.map(({ value }) => value), phone, name?.given, name?.family]) {
    if (personal) expect(text).not.toContain(personal)
  }
})

test('the version is read from text and from bytes', () => {
  expect(sequenceOf({ ce_sequence: '17' })).toBe(17)
  expect(sequenceOf({ ce_sequence: Buffer.from('9007199254740') })).toBe(9_007_199_254_740)
})

test.each([undefined, '', '-1', '1.5', '1e3', ' 1', '0x10', '9'.repeat(16)])('%j is no version', (header) => {
  expect(sequenceOf(header === undefined ? {} : { ce_sequence: header })).toBeUndefined()
})
