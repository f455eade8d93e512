import type { ConsumerOptions, KafkaConsumer, KafkaRecord, ReadTopicOptions, ReadTopicResult } from '@rollcall/kafka'
import type { LogSource } from '../../log-source.js'
import type { Actor } from './virtual-time.js'

/** A topic in memory with the consumer groups on it, rule for rule as `@rollcall/kafka` has them; `log-contract` holds both to it. */
export interface MemoryLog {
  readonly partitions: readonly MemoryPartition[]
  append(partition: number, record: Omit<KafkaRecord, 'offset'>, options?: { readonly holeBefore?: number }): number
  /** The log as one run of a process sees it. */
  source(actor: Actor): LogSource
  /** Lets the members of every group join again. */
  rebalance(): void
  /** The group gives up a member; it hears of it after `unawareMs`, and joins again. */
  evict(actor: Actor, unawareMs: number): void
  /** The member is gone for good. */
  forget(actor: Actor): void
}

export interface MemoryPartition {
  readonly records: KafkaRecord[]
  /** The offset the next record will have. */
  high: number
}

/** What the log asks of the world around it: time, chance, and what may go wrong with a delivery. */
export interface LogWorld {
  after(inMs: number, actor: Actor | undefined, work: () => void): void
  step<T>(actor: Actor, label: string, execute: () => T): Promise<T>
  /** Milliseconds until something that is ready happens. */
  latency(actor: Actor | undefined): number
  /** A whole number below the bound. */
  below(bound: number): number
  /** How a batch is handed out: by default all that is there, from the position on. */
  delivery(actor: Actor, asked: Delivery, available: number): Delivery
}

export interface Delivery {
  readonly partition: number
  readonly from: number
  /** Most records. */
  readonly count: number
}

export function memoryLog(topic: string, partitionCount: number, world: LogWorld): MemoryLog {
  const partitions = Array.from({ length: partitionCount }, (): MemoryPartition => ({ records: [], high: 0 }))
  const groups = new Map<string, Member[]>()
  const generations = new Map<string, number>()
  /** They do not know yet, and read on. */
  const evicted = new Set<Member>()

  const offsets = () => partitions.map(({ high }, partition) => ({ partition, low: 0, high }))

  function rebalance(groupId: string, delayMs = 0): void {
    const members = groups.get(groupId) ?? []
    const generation = (generations.get(groupId) ?? 0) + 1
    generations.set(groupId, generation)
    if (members.length === 0) return
    const shares = new Map<Member, number[]>(members.map((member) => [member, []]))
    const shift = world.below(members.length)
    for (let partition = 0; partition < partitionCount; partition++) {
      shares.get(members[(partition + shift) % members.length] as Member)?.push(partition)
    }
    for (const [member, share] of shares) {
      world.after(delayMs + world.latency(member.actor), member.actor, () => {
        if (generations.get(groupId) === generation && members.includes(member)) member.joined(share)
      })
    }
  }

  const group = (groupId: string): Group => ({
    join(member) {
      const members = groups.get(groupId) ?? []
      groups.set(groupId, members)
      if (!members.includes(member)) members.push(member)
      rebalance(groupId, members.length === 1 ? FIRST_JOIN_DELAY_MS : 0)
    },
    leave(member) {
      const members = groups.get(groupId) ?? []
      if (!members.includes(member)) return
      members.splice(members.indexOf(member), 1)
      rebalance(groupId)
    },
  })

  const membersOf = (actor: Actor) =>
    [...groups].flatMap(([groupId, members]) =>
      members.filter((member) => member.actor === actor).map((member) => ({ member, groupId })),
    )

  return {
    partitions,
    append(partition, record, { holeBefore = 0 } = {}) {
      const log = partitions[partition] as MemoryPartition
      const offset = log.high + holeBefore
      log.records.push({ ...record, offset })
      log.high = offset + 1
      for (const members of groups.values()) for (const member of members) member.kick(partition)
      for (const one of evicted) one.kick(partition)
      return offset
    },
    source: (actor) => ({
      offsets: () => world.step(actor, 'offsets', offsets),
      readTopic: (options) => readAll(options, partitions),
      consumer(options) {
        if (options.topic !== topic) throw new Error(`topic ${options.topic} is not simulated, ${topic} is`)
        return memoryConsumer(options, { actor, group: group(options.groupId), partitions, world })
      },
    }),
    rebalance() {
      for (const groupId of groups.keys()) rebalance(groupId)
    },
    evict(actor, unawareMs) {
      for (const { member, groupId } of membersOf(actor)) {
        group(groupId).leave(member)
        evicted.add(member)
        world.after(unawareMs, actor, () => {
          evicted.delete(member)
          member.thrownOut()
          group(groupId).join(member)
        })
      }
    },
    forget(actor) {
      for (const { member, groupId } of membersOf(actor)) group(groupId).leave(member)
      for (const member of evicted) if (member.actor === actor) evicted.delete(member)
    },
  }
}

interface Group {
  join(member: Member): void
  leave(member: Member): void
}

interface Member {
  readonly actor: Actor
  /** The group has given it these partitions, and no others. */
  joined(partitions: readonly number[]): void
  thrownOut(): void
  /** There is something new to read. */
  kick(partition: number): void
}

interface Lane {
  readonly partition: number
  /** A new one with each join, seek and reclaim; none when not held. */
  claim: object | undefined
  position: number | undefined
  isBusy: boolean
  isPaused: boolean
  isScheduled: boolean
  isBackingOff: boolean
  failures: number
}

function memoryConsumer(
  options: ConsumerOptions,
  {
    actor,
    group,
    partitions,
    world,
  }: { actor: Actor; group: Group; partitions: readonly MemoryPartition[]; world: LogWorld },
): KafkaConsumer {
  const { topic, initialBackoffMs = 100, maxBackoffMs = 10_000 } = options
  const lanes = new Map<number, Lane>()
  const running = new Set<Promise<void>>()
  let isClosing = false
  let joins = 0
  let firstJoin: (() => void) | undefined

  const laneOf = (partition: number): Lane => {
    let lane = lanes.get(partition)
    if (lane === undefined) {
      lane = {
        partition,
        claim: undefined,
        position: undefined,
        isBusy: false,
        isPaused: false,
        isScheduled: false,
        isBackingOff: false,
        failures: 0,
      }
      lanes.set(partition, lane)
    }
    return lane
  }

  const held = () => [...lanes.values()].filter(({ claim }) => claim !== undefined)

  function claimAnew(lane: Lane, position: number | undefined): void {
    lane.claim = {}
    lane.failures = 0
    lane.isBackingOff = false
    lane.position = position
    fetchSoon(lane)
  }

  function release(lane: Lane): void {
    lane.claim = undefined
    lane.position = undefined
    lane.isBackingOff = false
  }

  const isReadable = ({ claim, position, isBusy, isPaused, isBackingOff, partition }: Lane) =>
    claim !== undefined &&
    position !== undefined &&
    position < (partitions[partition]?.high ?? 0) &&
    !isBusy &&
    !isPaused &&
    !isBackingOff &&
    !isClosing

  function fetchSoon(lane: Lane): void {
    if (lane.isScheduled || !isReadable(lane)) return
    lane.isScheduled = true
    world.after(world.latency(actor), actor, () => {
      lane.isScheduled = false
      if (!isReadable(lane)) return
      const work = handOut(lane, lane.position as number).finally(() => running.delete(work))
      running.add(work)
    })
  }

  async function handOut(lane: Lane, position: number): Promise<void> {
    const { claim, partition } = lane
    const log = partitions[partition] as MemoryPartition
    const first = firstAt(log, position)
    const available = log.records.length - first
    if (available === 0) {
      // Only offsets without records are left.
      lane.position = log.high
      return
    }
    const { from, count } = world.delivery(actor, { partition, from: position, count: available }, available)
    const start = from === position ? first : firstAt(log, from)
    const records = log.records.slice(start, start + count)
    const last = records.at(-1)
    if (last === undefined) return
    const next = log.records[start + records.length]
    const nextOffset = next === undefined ? log.high : last.offset + 1
    lane.isBusy = true
    try {
      await options.batch({
        topic,
        partition,
        records,
        nextOffset,
        highWatermark: log.high,
        isStale: () => lane.claim !== claim || isClosing,
        heartbeat: () => RESOLVED,
      })
      if (lane.claim !== claim) return
      lane.failures = 0
      lane.position = nextOffset
    } catch {
      if (lane.claim === claim) backOff(lane)
    } finally {
      lane.isBusy = false
      fetchSoon(lane)
    }
  }

  function backOff(lane: Lane): void {
    const { claim } = lane
    const waitMs = Math.min(initialBackoffMs * 2 ** lane.failures++, maxBackoffMs)
    lane.isBackingOff = true
    world.after(waitMs, actor, () => {
      if (lane.claim !== claim) return
      lane.isBackingOff = false
      if (lane.position === undefined) void ask([lane])
      else fetchSoon(lane)
    })
  }

  /** After a join: asks for all that have no position, until it is answered or there is another join. */
  async function askUntilAnswered(): Promise<void> {
    const mine = ++joins
    for (let failures = 0; mine === joins && !isClosing; ) {
      try {
        await askOnce(held().filter(({ position }) => position === undefined))
        firstJoin?.()
        return
      } catch {
        const waitMs = Math.min(initialBackoffMs * 2 ** failures++, maxBackoffMs)
        await new Promise<void>((resolve) => world.after(waitMs, actor, resolve))
      }
    }
  }

  async function ask(asked: readonly Lane[]): Promise<void> {
    const claims = asked.map(({ claim }) => claim)
    try {
      await askOnce(asked)
    } catch {
      for (const [index, lane] of asked.entries()) if (lane.claim === claims[index]) backOff(lane)
    }
  }

  /** What changed hands meanwhile is left to the newer claim. */
  async function askOnce(asked: readonly Lane[]): Promise<void> {
    const claims = asked.map(({ claim }) => claim)
    const answer = await options.assigned(asked.map(({ partition }) => partition))
    for (const [index, lane] of asked.entries()) {
      if (lane.claim !== claims[index]) continue
      lane.position = answer.get(lane.partition) ?? 0
      fetchSoon(lane)
    }
  }

  const member: Member = {
    actor,
    joined(assigned) {
      if (isClosing) return
      const lost = held().filter(({ partition }) => !assigned.includes(partition))
      for (const lane of lost) release(lane)
      const mine = assigned.map(laneOf)
      for (const lane of mine) claimAnew(lane, undefined)
      if (lost.length > 0) options.revoked?.(lost.map(({ partition }) => partition))
      void askUntilAnswered()
    },
    thrownOut() {
      const lost = held()
      for (const lane of lost) release(lane)
      if (lost.length > 0) options.revoked?.(lost.map(({ partition }) => partition))
    },
    kick(partition) {
      const lane = lanes.get(partition)
      if (lane !== undefined) fetchSoon(lane)
    },
  }

  return {
    start: () =>
      new Promise((resolve) => {
        firstJoin = resolve
        group.join(member)
      }),
    assignment: () => held().map(({ partition }) => partition),
    pause(asked) {
      for (const partition of asked) laneOf(partition).isPaused = true
    },
    resume(asked) {
      for (const lane of asked.map(laneOf)) {
        if (!lane.isPaused) continue
        lane.isPaused = false
        fetchSoon(lane)
      }
    },
    seek(partition, offset) {
      const lane = laneOf(partition)
      if (lane.claim !== undefined) claimAnew(lane, offset)
    },
    async reclaim(asked) {
      const mine = asked.map(laneOf).filter(({ claim }) => claim !== undefined)
      for (const lane of mine) claimAnew(lane, undefined)
      await ask(mine)
    },
    async close() {
      isClosing = true
      await Promise.allSettled(running)
      group.leave(member)
    },
  }
}

/** A new group waits a little for others, as brokers do. */
const FIRST_JOIN_DELAY_MS = 12

const RESOLVED = Promise.resolve()

/** The index of the first record at or after the offset. */
function firstAt({ records }: MemoryPartition, offset: number): number {
  const index = records.findIndex((record) => record.offset >= offset)
  return index === -1 ? records.length : index
}

async function readAll(
  { from, partitions: asked, onBatch, topic }: ReadTopicOptions,
  partitions: readonly MemoryPartition[],
): Promise<ReadTopicResult> {
  let count = 0
  const positions = new Map<number, number>()
  for (const [partition, log] of partitions.entries()) {
    if (asked !== undefined && !asked.includes(partition)) continue
    const { high } = log
    const start = from instanceof Map ? (from.get(partition) ?? 0) : 0
    const records = log.records.slice(firstAt(log, start))
    positions.set(partition, high)
    count += records.length
    if (records.length > 0) await onBatch({ topic, partition, records, nextOffset: high, highWatermark: high })
  }
  return { records: count, positions }
}
