import { setTimeout as sleep } from 'node:timers/promises'
import { userLifecycle } from '@rollcall/events'
import type { Stage } from './stage.js'

export interface InjectedRecord {
  readonly partition: number
  /** `encodeRecordBody` of @rollcall/kafka. */
  readonly body: Buffer
}

/**
 * Puts records on the topic past the relay, which stands still meanwhile, and notes their offsets: the checker leaves them
 * out, and nothing else. `meanwhile` runs before them, with the relay stopped.
 */
export async function inject(stage: Stage, meanwhile: () => Promise<readonly InjectedRecord[]>): Promise<number> {
  const { kafka } = stage.scene
  const producer = kafka.producer()
  stage.relay.process.signal('SIGSTOP')
  try {
    const records = await meanwhile()
    let before = await ends(stage)
    for (let last = ''; last !== String([...before]); before = await ends(stage)) {
      // What the relay had handed over before it stopped is still being written.
      last = String([...before])
      await sleep(30)
    }
    for (const record of records) await producer.send(userLifecycle.name, [{ ...record, timestampMs: Date.now() }])
    for (const [partition, end] of await ends(stage)) {
      for (let offset = before.get(partition) ?? 0; offset < end; offset++) stage.injected.add(`${partition}/${offset}`)
    }
    return records.length
  } finally {
    stage.relay.process.signal('SIGCONT')
    await producer.close()
  }
}

async function ends({ scene }: Stage): Promise<Map<number, number>> {
  return new Map((await scene.kafka.offsets(userLifecycle.name)).map(({ partition, high }) => [partition, high]))
}
