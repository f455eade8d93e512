/**
 * The partition of a key, as the default partitioners of the Java client and of kafkajs compute it (murmur2, seed 0x9747b28c).
 *
 * @param key the key's bytes as they stand in the record.
 */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

const M = 0x5bd1e995

function murmur2(data: Uint8Array): number {
  const { length } = data
  let hash = 0x9747b28c ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let word =
      ((data[at] as number) | ((data[at + 1] as number) << 8) | ((data[at + 2] as number) << 16)) +
      ((data[at + 3] as number) << 24)
    word = Math.imul(word, M)
    word ^= word >>> 24
    hash = Math.imul(hash, M) ^ Math.imul(word, M)
  }
  const rest = length - whole
  if (rest === 3) hash ^= (data[whole + 2] as number) << 16
  if (rest >= 2) hash ^= (data[whole + 1] as number) << 8
  if (rest >= 1) hash = Math.imul(hash ^ (data[whole] as number), M)
  hash ^= hash >>> 13
  hash = Math.imul(hash, M)
  return hash ^ (hash >>> 15)
}
