import type { RollcallError } from '@rollcall/errors'
import { KafkaAuthorizationDeniedError, KafkaCoordinatorNotReadyError } from '../errors/kafka-errors.js'
import { isCoordinatorNotReady, protocolCodeOf, toKafkaError } from '../errors/to-kafka-error.js'
import type { Cluster } from '../kafkajs/internals.js'

/**
 * kafkajs says "coordinator not found" whatever the broker has answered: a refusal of the group, a coordinator that is
 * not there yet, nothing at all. So the coordinator is asked for once more, by hand.
 */
export async function nameGroupFailure(
  error: unknown,
  cluster: Pick<Cluster, 'getNodeIds' | 'findBroker'>,
  groupId: string,
  topic: string,
): Promise<RollcallError> {
  const named = toKafkaError(error, { doing: 'consuming', topic, facts: { groupId } })
  const isHidden = (error as Error | null)?.name === 'KafkaJSGroupCoordinatorNotFound'
  const nodeId = isHidden ? cluster.getNodeIds()[0] : undefined
  if (nodeId === undefined) return named
  const facts = { topic, groupId }
  try {
    const broker = await cluster.findBroker({ nodeId })
    await broker.findGroupCoordinator({ groupId, coordinatorType: 0 })
    // Found now: it was missing only a moment ago.
    return new KafkaCoordinatorNotReadyError('consuming', 'GROUP_COORDINATOR_NOT_AVAILABLE', error, facts)
  } catch (refusal) {
    const code = protocolCodeOf(refusal) ?? ''
    if (code.endsWith('AUTHORIZATION_FAILED'))
      return new KafkaAuthorizationDeniedError('consuming', code, refusal, facts)
    if (isCoordinatorNotReady(code)) return new KafkaCoordinatorNotReadyError('consuming', code, refusal, facts)
  }
  return named
}
