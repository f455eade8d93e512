import { AsyncLocalStorage } from 'node:async_hooks'

/** What the running request is known by. Every log line written while it runs carries the correlation id. */
export interface RequestFacts {
  readonly correlationId: string
  /** The W3C traceparent that came in with the request; passed on as it is while no span is recorded. */
  readonly traceparent?: string | undefined
}

const storage = new AsyncLocalStorage<RequestFacts>()

/** Runs `fn`, and everything it awaits, as part of the request. */
export function runWithRequest<T>(facts: RequestFacts, fn: () => T): T {
  return storage.run(facts, fn)
}

/** The request that is running; undefined outside of one. */
export function currentRequest(): RequestFacts | undefined {
  return storage.getStore()
}
