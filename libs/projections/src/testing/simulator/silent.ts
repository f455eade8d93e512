import type { Logger, Metrics } from '@rollcall/observability'

const nothing = () => {}
const METRIC = { inc: nothing, set: nothing, observe: nothing, startTimer: () => nothing }
/** Metrics nobody reads. */
export const NO_METRICS = {
  counter: () => METRIC,
  gauge: () => METRIC,
  histogram: () => METRIC,
  text: async () => '',
} as unknown as Metrics

/** A log nobody reads. */
export const NO_LOGGER: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => NO_LOGGER,
  isLevelEnabled: () => false,
}
