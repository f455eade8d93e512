import { type ChildProcess, fork } from 'node:child_process'

/** A process of ours that answers commands; see `answer`. */
export interface Child<Commands extends CommandMap> {
  call<Name extends keyof Commands & string>(
    name: Name,
    ...input: Parameters<Commands[Name]>
  ): Promise<Awaited<ReturnType<Commands[Name]>>>
  readonly pid: number
  /** SIGKILL; calls under way reject. */
  kill(): Promise<void>
  close(): Promise<void>
}

/** What a child can do: each command takes at most one argument that a structured clone can carry. */
export type CommandMap = Record<string, (...input: never[]) => unknown>

interface Call {
  readonly id: number
  readonly name: string
  readonly input: readonly unknown[]
}

type Answer = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string }

/** Starts `processes/<file>.js`. It ends with its parent, however that ends. */
export function startChild<Commands extends CommandMap>(file: string): Child<Commands> {
  const path = new URL(`./processes/${file}.js`, import.meta.url)
  const child = fork(path, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let calls = 0
  child.on('message', (answer: Answer) => {
    const caller = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('error' in answer) caller?.reject(new Error(`${file}: ${answer.error}`))
    else caller?.resolve(answer.result as never)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${signal ?? code}`))
      resolve()
    })
  })
  return {
    call: (name, ...input) =>
      new Promise((resolve, reject) => {
        const id = calls++
        waiting.set(id, { resolve, reject })
        child.send({ id, name, input } satisfies Call, (error) => error && reject(error))
      }),
    get pid() {
      if (child.pid === undefined) throw new Error(`${file} did not start`)
      return child.pid
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async close() {
      disconnect(child)
      await ended
    },
  }
}

function disconnect(child: ChildProcess): void {
  if (child.connected) child.disconnect()
  // One that hangs on to a socket must not keep the bench.
  setTimeout(() => child.kill('SIGKILL'), 5_000).unref()
}

/** The child's side: serves calls until the parent goes. */
export function answer(commands: CommandMap): void {
  process.on('message', async ({ id, name, input }: Call) => {
    const send = (text: Answer) => process.connected && process.send?.(text)
    try {
      send({ id, result: await commands[name]?.(...(input as never[])) })
    } catch (error) {
      send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.once('disconnect', () => process.exit(0))
}
