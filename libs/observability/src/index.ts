export { createLogger, type Logger, type LoggerOptions, type LogLevel, type LogMethod } from './create-logger.js'
export {
  type CounterOptions,
  createMetrics,
  type GaugeOptions,
  type HistogramOptions,
  type Metrics,
} from './create-metrics.js'
export { MetricInvalidError } from './metric-invalid-error.js'
export { type LoggedError, redact, serializeError } from './redact.js'
export { currentRequest, type RequestFacts, runWithRequest } from './request-facts.js'
export { startTracing, type Tracing, type TracingOptions } from './start-tracing.js'
export { step } from './step.js'
export { beginSpan, currentTraceparent, type OpenSpan, type SpanOptions, withSpan } from './with-span.js'
