/** What takes a step: the process that dies there. */
export type Actor = 'registry' | 'relay' | 'consumer'

export interface CrashPoint {
  /** As the code says it: `step('relay.sent')`. */
  readonly step: string
  readonly actor: Actor
  /** What is done and what is not when the process dies here. */
  readonly between: string
  /** Passed while the process starts, before it is ready. */
  readonly atStart?: true
  /** Passed only while a fault of its own makes it so (a parked user, a back-log); not part of the plain kill drills. */
  readonly needs?: 'two relays' | 'parked users' | 'a back-log' | 'an import' | 'a rebuild'
}

/** Every named step of the code. A test keeps this list and the code equal. */
export const crashPoints: readonly CrashPoint[] = [
  { step: 'registry.writing', actor: 'registry', between: 'decided, nothing written' },
  { step: 'registry.written', actor: 'registry', between: 'committed; relay not woken, client not answered' },
  { step: 'registry.answered', actor: 'registry', between: 'answer handed to the socket' },
  { step: 'import.writing', actor: 'registry', between: 'lines of an import judged, not written', needs: 'an import' },
  { step: 'import.written', actor: 'registry', between: 'lines committed, not answered', needs: 'an import' },
  { step: 'relay.lead-taken', actor: 'relay', between: 'epoch raised, nothing read', atStart: true },
  { step: 'relay.looked', actor: 'relay', between: 'rows read, nothing sent' },
  { step: 'relay.sending', actor: 'relay', between: 'lease checked, not sent' },
  { step: 'relay.sent', actor: 'relay', between: 'acknowledged by Kafka, nobody told' },
  { step: 'relay.shipped', actor: 'relay', between: 'whole page acknowledged, position not moved' },
  { step: 'relay.storing', actor: 'relay', between: 'position moved in memory, not stored' },
  { step: 'relay.stored', actor: 'relay', between: 'position stored' },
  { step: 'relay.page-read', actor: 'relay', between: 'page of a back-log read, not sent', needs: 'a back-log' },
  { step: 'relay.page-shipped', actor: 'relay', between: 'page acknowledged, position not moved', needs: 'a back-log' },
  { step: 'relay.back-log-ended', actor: 'relay', between: 'last page sent, window open', needs: 'a back-log' },
  { step: 'relay.fenced', actor: 'relay', between: 'another one leads, nothing given up yet', needs: 'two relays' },
  { step: 'runner.claiming', actor: 'consumer', between: 'assigned by Kafka, not claimed', atStart: true },
  { step: 'runner.claimed', actor: 'consumer', between: 'epochs raised, nothing read', atStart: true },
  { step: 'runner.decoded', actor: 'consumer', between: 'records decoded, no transaction yet' },
  { step: 'runner.advanced', actor: 'consumer', between: 'in the transaction: position moved, no effect' },
  { step: 'runner.applied', actor: 'consumer', between: 'in the transaction: effects, versions not recorded' },
  { step: 'runner.versions-recorded', actor: 'consumer', between: 'in the transaction: all of it, not committed' },
  { step: 'runner.committed', actor: 'consumer', between: 'committed, own memory not moved, Kafka not told' },
  {
    step: 'rebuild.built',
    actor: 'consumer',
    between: 'read model built beside the live one, not caught up',
    needs: 'a rebuild',
  },
  {
    step: 'rebuild.cut-over',
    actor: 'consumer',
    between: 'swapped and committed; runners not told',
    needs: 'a rebuild',
  },
  {
    step: 'rebuild.swapping',
    actor: 'consumer',
    between: 'in the transaction: sides locked, nothing swapped',
    needs: 'a rebuild',
  },
  {
    step: 'rebuild.swapped',
    actor: 'consumer',
    between: 'in the transaction: swapped, not committed',
    needs: 'a rebuild',
  },
  { step: 'runner.parked', actor: 'consumer', between: 'in the transaction: users parked', needs: 'parked users' },
  { step: 'redrive.opened', actor: 'consumer', between: 'parked user locked, nothing applied', needs: 'parked users' },
  { step: 'redrive.applied', actor: 'consumer', between: 'letters applied, still there', needs: 'parked users' },
  { step: 'redrive.kept', actor: 'consumer', between: 'letters dropped, act not noted', needs: 'parked users' },
  { step: 'redrive.committed', actor: 'consumer', between: 'committed, caller not told', needs: 'parked users' },
  { step: 'heal.fetched', actor: 'consumer', between: 'missing events fetched, not applied', needs: 'parked users' },
]
