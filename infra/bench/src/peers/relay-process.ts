/** A relay that can be killed and started again. */
export interface RelayProcess {
  /** Resolves when the process is there; it may take seconds more to do its work. */
  start(): Promise<void>
  readonly pid: number
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** In order, with its position stored. */
  stop(): Promise<void>
  close(): Promise<void>
}
