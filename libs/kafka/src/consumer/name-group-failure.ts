import type { RollcallError } from '@rollcall/errors'
import { KafkaAuthorizationDeniedError } from '../errors/kafka-errors.js'
import { protocolCodeOf, toKafkaError } from '../errors/to-kafka-error.js'
import type { Cluster } from '../kafkajs/internals.js'

/** kafkajs hides a refusal of the group behind "coordinator not found": the coordinator is asked for once more, by hand. */
export async function nameGroupFailure(
  error: unknown,
  cluster: Cluster,
  groupId: string,
  topic: string,
): Promise<RollcallError> {
  const named = toKafkaError(error, { doing: 'consuming', topic, facts: { groupId } })
  const isHidden = (error as Error | null)?.name === 'KafkaJSGroupCoordinatorNotFound'
  const nodeId = isHidden ? cluster.getNodeIds()[0] : undefined
  if (nodeId === undefined) return named
  try {
    const broker = await cluster.findBroker({ nodeId })
    await broker.findGroupCoordinator({ groupId, coordinatorType: 0 })
  } catch (refusal) {
    const code = protocolCodeOf(refusal)
    if (code?.endsWith('AUTHORIZATION_FAILED')) {
      return new KafkaAuthorizationDeniedError('consuming', code, refusal, { topic, groupId })
    }
  }
  return named
}
