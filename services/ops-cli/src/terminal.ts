import { once } from 'node:events'
import type { Writable } from 'node:stream'
import Table from 'cli-table3'
import colors from 'picocolors'

/** Where a command speaks: results on stdout, everything else (progress, notes, errors) on stderr. */
export interface Terminal {
  /** True when results are to be machine-readable: one JSON document, or one JSON value a line for streams. */
  readonly json: boolean
  /** True when a person sees stderr, so that a line may be drawn again in place. */
  readonly interactive: boolean
  /** True when a person sees stdout, so that it may be cleared and drawn again. */
  readonly onScreen: boolean
  readonly paint: Paint
  /** Writes text to stdout and waits while its reader is slow. */
  write(text: string): Promise<void>
  /** The one result of a command: the value under --json, the text otherwise. */
  result(value: unknown, text: () => string): Promise<void>
  /** A line on stderr. */
  note(line: string): void
  /** The stream progress is drawn on. */
  readonly stderr: Writable & { readonly isTTY?: boolean | undefined }
}

export type Paint = Pick<ReturnType<typeof colors.createColors>, 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'>

export interface TerminalOptions {
  readonly stdout: Writable & { readonly isTTY?: boolean | undefined }
  readonly stderr: Writable & { readonly isTTY?: boolean | undefined }
  readonly json: boolean
  /** The value of NO_COLOR; any non-empty text switches colour off (no-color.org). */
  readonly noColor?: string | undefined
}

export function createTerminal({ stdout, stderr, json, noColor }: TerminalOptions): Terminal {
  const write = async (text: string) => {
    if (!stdout.write(text)) await once(stdout, 'drain')
  }
  return {
    json,
    interactive: stderr.isTTY === true,
    onScreen: stdout.isTTY === true && !json,
    paint: colors.createColors(stdout.isTTY === true && !noColor && !json),
    write,
    result: (value, text) => write(json ? `${JSON.stringify(value)}\n` : `${text()}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    stderr,
  }
}

/** Columns without borders, as `docker ps` prints them; wide characters keep their columns. */
export function columns(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  paint?: Paint,
): string {
  const none = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
  const inner = ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid']
  const table = new Table({
    chars: { ...Object.fromEntries([...none, ...inner].map((name) => [name, ''])), middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  })
  table.push(
    head.map((name) => (paint ? paint.dim(name) : name)),
    ...rows.map((row) => row.map(String)),
  )
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** 12345 as "12,345", the same on every machine. */
export const grouped = (count: number): string =>
  Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',')

/** "1 user", "2 users". */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${grouped(count)} ${count === 1 ? noun : plural}`

/** Whole seconds as "8 s", "2 m 08 s", "1 h 02 m". */
export function spoken(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  const two = (n: number) => String(n).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`
}
