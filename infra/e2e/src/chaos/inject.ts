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
  // Answers the offset of each record; what the relay had on its way when it stopped may still be written among them.
  const producer = kafka.fencedProducer({ id: await kafka.newProducerId(), epoch: 0 })
  stage.relay.process.signal('SIGSTOP')
  try {
    const records = await meanwhile()
    for (const record of records) {
      const offsets = await producer.send(userLifecycle.name, [{ ...record, timestampMs: Date.now() }])
      stage.injected.add(`${record.partition}/${offsets.get(record.partition)}`)
    }
    return records.length
  } finally {
    stage.relay.process.signal('SIGCONT')
    await producer.close()
  }
}
