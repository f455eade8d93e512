import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { MetricInvalidError } from './metric-invalid-error.js'

interface MetricOptions<Label extends string> {
  /** `rollcall_<thing>_<unit>`, lower case with underscores. */
  readonly name: string
  /** One sentence: what is counted, in which unit. */
  readonly help: string
  readonly labelNames?: readonly Label[]
}

export type CounterOptions<Label extends string> = MetricOptions<Label>

export interface GaugeOptions<Label extends string> extends MetricOptions<Label> {
  /** Called at each scrape, for values that are cheaper to read than to keep. */
  readonly collect?: (gauge: Gauge<Label>) => void | Promise<void>
}

export interface HistogramOptions<Label extends string> extends MetricOptions<Label> {
  /** Upper bounds in the unit of the metric. @default 1 ms to 10 s, for seconds */
  readonly buckets?: readonly number[]
}

/** The metrics of one service. Asking twice for the same metric gives the same object. */
export interface Metrics {
  counter<Label extends string = never>(options: CounterOptions<Label>): Counter<Label>
  gauge<Label extends string = never>(options: GaugeOptions<Label>): Gauge<Label>
  histogram<Label extends string = never>(options: HistogramOptions<Label>): Histogram<Label>
  /** All metrics in the Prometheus text format. */
  text(): Promise<string>
  readonly contentType: string
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * Creates the metrics of a service: a registry of its own, so that two services in one test process do not mix, with the
 * process metrics of Node in it and the label `service` on everything.
 *
 * @throws MetricInvalidError from the factories.
 */
export function createMetrics(service: string): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  const declared = new Map<string, { shape: string; metric: unknown }>()

  const declare = <M>(kind: string, options: MetricOptions<string>, create: () => M): M => {
    const { name, help, labelNames = [] } = options
    if (!/^rollcall_[a-z0-9]+(_[a-z0-9]+)*$/.test(name)) throw new MetricInvalidError(name, 'is not rollcall_<words>')
    if (help.trim().length < 10)
      throw new MetricInvalidError(name, 'has no help text; say what it counts, in which unit')
    const shape = `${kind}(${labelNames.join()})`
    const known = declared.get(name)
    if (known?.shape === shape) return known.metric as M
    if (known) throw new MetricInvalidError(name, `is already declared as ${known.shape}, not ${shape}`)
    const metric = create()
    declared.set(name, { shape, metric })
    return metric
  }
  const base = ({ name, help, labelNames = [] }: MetricOptions<string>) => ({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
  })

  return {
    counter: (options) => declare('counter', options, () => new Counter(base(options))),
    gauge: (options) =>
      declare('gauge', options, () => {
        const { collect } = options
        return new Gauge({
          ...base(options),
          ...(collect === undefined
            ? {}
            : {
                collect(this: Gauge) {
                  return collect(this)
                },
              }),
        })
      }),
    histogram: (options) =>
      declare(
        'histogram',
        options,
        () => new Histogram({ ...base(options), buckets: [...(options.buckets ?? SECONDS)] }),
      ),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
