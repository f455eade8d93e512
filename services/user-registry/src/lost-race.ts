/** True when Postgres ended the statement in favour of another one: a deadlock or a serialization failure. */
export function isLostRace(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }
  return code === '40P01' || code === '40001'
}
