import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { step } from '../src/index.js'

test('a step is told to whoever listens on the channel, and to nobody else', () => {
  const heard: unknown[] = []
  const listener = (name: unknown) => heard.push(name)
  step('relay.sending')
  subscribe('rollcall.step', listener)
  step('relay.sent')
  unsubscribe('rollcall.step', listener)
  step('relay.stored')
  expect(heard).toEqual(['relay.sent'])
})
