import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export interface Usage {
  /** User and system, of the process, its descendants, and those of them that have ended. */
  readonly cpuSeconds: number
  /** Sum of each process's own peak. */
  readonly peakRssMb: number
}

let ticks: number | undefined

/** What a process and everything under it has used so far. Linux only: it reads /proc. */
export function usageOf(pid: number): Usage {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  const tree = treeOf(pid)
  const jiffies = tree.reduce((sum, one) => sum + one.jiffies, 0)
  return { cpuSeconds: jiffies / ticks, peakRssMb: tree.reduce((sum, { id }) => sum + peakRssMb(id), 0) }
}

interface Stat {
  readonly id: number
  readonly parent: number
  readonly jiffies: number
}

function treeOf(root: number): readonly Stat[] {
  const all = readdirSync('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? (readStat(Number(entry)) ?? []) : []))
  const tree: Stat[] = all.filter(({ id }) => id === root)
  for (const one of tree) tree.push(...all.filter(({ parent }) => parent === one.id))
  return tree
}

function readStat(id: number): Stat | undefined {
  const text = readOf(id, 'stat')
  if (text === undefined) return undefined
  // The name in parentheses may hold blanks. After it: state, parent, … utime, stime, cutime, cstime as fields 12 to 15.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const jiffies = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { id, parent: Number(fields[1]), jiffies }
}

const peakRssMb = (id: number) => Number(/^VmHWM:\s+(\d+)/m.exec(readOf(id, 'status') ?? '')?.[1] ?? 0) / 1_024

// One that ended in this moment has nothing to say.
function readOf(id: number, file: 'stat' | 'status'): string | undefined {
  try {
    return readFileSync(`/proc/${id}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}
