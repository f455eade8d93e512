import { RollcallError } from '@rollcall/errors'

/** `ERR_METRIC_INVALID`: a metric without help text, outside the naming rule, or declared twice with another shape. */
export class MetricInvalidError extends RollcallError {
  constructor(metric: string, problem: string) {
    super({ code: 'ERR_METRIC_INVALID', message: `Metric ${metric} ${problem}.`, facts: { metric } })
  }
}
