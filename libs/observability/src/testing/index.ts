export { type LogLine, type LogSink, logSink, silentLogger } from './log-sink.js'
export { type CollectedSpan, type SpanSink, spanSink } from './span-sink.js'
