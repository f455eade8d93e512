import { RollcallError } from '@rollcall/errors'

/** `ERR_TOOL_MISSING`: a program the embedded stack needs is not installed; the message says what to install. */
export class ToolMissingError extends RollcallError {
  constructor(message: string, cause?: unknown) {
    super({ code: 'ERR_TOOL_MISSING', message, cause })
  }
}

/** `ERR_PORT_TAKEN`: another process listens there; the message names the port and the variable that moves it. */
export class PortTakenError extends RollcallError {
  constructor(facts: { readonly port: number; readonly wantedBy: string; readonly variable: string }) {
    super({
      code: 'ERR_PORT_TAKEN',
      message: `Port ${facts.port}, wanted by ${facts.wantedBy}, is taken by another process; stop it or set ${facts.variable} to a free port.`,
      facts,
    })
  }
}

/** `ERR_PROCESS_NOT_STARTED`: a child process died or was not ready in time; the message ends with its last log lines. */
export class ProcessNotStartedError extends RollcallError {
  constructor(message: string, facts: { readonly name: string; readonly logFile: string }) {
    super({ code: 'ERR_PROCESS_NOT_STARTED', message, facts, retryable: true })
  }
}

/** `ERR_STACK_LOCKED`: the data directory is in use by another running stack. */
export class StackLockedError extends RollcallError {
  constructor(facts: { readonly dataDir: string; readonly pid: number }) {
    super({
      code: 'ERR_STACK_LOCKED',
      message: `Rollcall is already running here (process ${facts.pid}, data in ${facts.dataDir}); stop it with Ctrl-C in its terminal or \`kill ${facts.pid}\`.`,
      facts,
    })
  }
}

/** `ERR_STACK_UNREACHABLE`: an address given for the external provider does not answer. */
export class StackUnreachableError extends RollcallError {
  constructor(message: string, cause?: unknown) {
    super({ code: 'ERR_STACK_UNREACHABLE', message, cause, retryable: true })
  }
}
