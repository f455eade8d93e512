import { RollcallError } from '@rollcall/errors'
import type { App } from '@rollcall/http'

/** The service listens already, but cannot do its work yet. */
export class StartingError extends RollcallError {
  constructor() {
    super({
      code: 'ERR_STARTING',
      message: 'The service is starting: its database is not migrated yet. Try again in a moment.',
      retryable: true,
    })
  }
}

/** Refuses API requests until `isStarted`; health, metrics and documentation answer from the first moment. */
export function refuseUntilStarted(app: App, isStarted: () => boolean): void {
  app.addHook('onRequest', async (request) => {
    if (!isStarted() && request.url.startsWith('/v1/')) throw new StartingError()
  })
}
