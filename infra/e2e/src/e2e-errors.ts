import { RollcallError } from '@rollcall/errors'

/** `ERR_CONDITION_NOT_MET`: something that had to happen within a bound did not. */
export class ConditionNotMetError extends RollcallError {
  constructor(what: string, timeoutMs: number, cause?: unknown) {
    super({
      code: 'ERR_CONDITION_NOT_MET',
      message: `Waited ${timeoutMs / 1000} s in vain: ${what}.`,
      facts: { timeoutMs },
      cause,
    })
  }
}

/** `ERR_STACK_MISSING`: no running stack was found where it was looked for. */
export class StackMissingError extends RollcallError {
  constructor(path: string, cause?: unknown) {
    super({
      code: 'ERR_STACK_MISSING',
      message: `No running stack is described in ${path}; start one with: npm start`,
      facts: { path },
      cause,
    })
  }
}

/** `ERR_VICTIM_FOREIGN`: a process to be killed does not belong to this repository; it was left alone. */
export class VictimForeignError extends RollcallError {
  constructor(name: string, pid: number) {
    super({
      code: 'ERR_VICTIM_FOREIGN',
      message: `Process ${pid} is said to be ${name}, but its command line is not of this repository; it was not touched.`,
      facts: { name, pid },
    })
  }
}
