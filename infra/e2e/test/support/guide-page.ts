import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../../src/stack/repository.js'

export interface PageRun {
  /** The root as the page's commands see it. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Addresses as the page says them, to those of this run. */
  readonly addresses: Readonly<Record<string, string>>
  /** What happens before a block that holds this text. */
  readonly before?: Readonly<Record<string, () => Promise<void>>>
}

export interface PageBlock {
  readonly commands: string
  /** What the page says the commands print; undefined when it says nothing. */
  readonly said: string | undefined
  readonly printed: string
}

/**
 * Runs a page's `bash` blocks in one shell, in order, as they are written but for the addresses. A `text` block after one
 * is what it prints: with UPDATE_README=1 it is written there.
 */
export async function runPage(page: string, { cwd, env, addresses, before = {} }: PageRun): Promise<PageBlock[]> {
  const path = join(repositoryRoot, page)
  const text = readFileSync(path, 'utf8')
  const shell = openShell(cwd, env)
  const blocks: PageBlock[] = []
  let updated = text
  try {
    for (const [, commands = '', output, said] of text.matchAll(BLOCK)) {
      for (const [mark, act] of Object.entries(before)) if (commands.includes(mark)) await act()
      const printed = withoutProgress(backOn(await shell.run(onto(commands, addresses)), addresses))
      blocks.push({ commands, said: output === undefined ? undefined : (said ?? ''), printed })
      if (output !== undefined) {
        const filled = `\`\`\`bash\n${commands}\`\`\`\n\n\`\`\`text\n${printed}\`\`\``
        updated = updated.replace(`\`\`\`bash\n${commands}\`\`\`${output}`, () => filled)
      }
    }
  } finally {
    shell.close()
  }
  if (process.env.UPDATE_README === '1') writeFileSync(path, updated)
  return blocks
}

const BLOCK = /```bash\n([\s\S]*?)```(\n\n```text\n([\s\S]*?)```)?/g

/** What two runs have in common: without ids, times, rates, places in the topic and the widths of columns. */
export const constantPart = (printed: string): string =>
  printed
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)/g, '<time>')
    .replace(/\b[\w.-]+:\d+[:#][0-9a-f]+\b/g, '<instance>')
    .replace(/\b[\d,.]+(?= (?:s|ms|min|lines\/s|events\/s)\b)/g, '<n>')
    .replace(/\[\d+\] offset \d+/g, '[<n>] offset <n>')
    .replace(/\b127\.0\.0\.1:\d+/g, '<address>')
    .replace(/(?<![\w.-])\d[\d,.]*(?![\w-])/g, '<n>')
    .replace(/[ \t]+/g, ' ')
    .trim()

// Lines of progress are there on a slow machine only.
const withoutProgress = (printed: string) =>
  printed.replace(/^(?:\s*\d+ %: .*|[a-z ]+: [\d,]+ events.*|[\d,]+ users compared, .*)\n/gm, '')

const onto = (commands: string, addresses: Readonly<Record<string, string>>) =>
  Object.entries(addresses).reduce((text, [said, real]) => text.replaceAll(said, real), commands)

const backOn = (printed: string, addresses: Readonly<Record<string, string>>) =>
  Object.entries(addresses).reduce((text, [said, real]) => text.replaceAll(real, said), printed)

function openShell(cwd: string, env: Readonly<Record<string, string>>) {
  const shell = spawn('bash', ['--norc'], { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  let printed = ''
  let wake = () => {}
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    wake()
  })
  shell.on('close', () => wake())
  let count = 0
  return {
    /** What the commands print, on both outputs. */
    async run(commands: string): Promise<string> {
      const mark = `--- end of block ${++count} ---`
      printed = ''
      // What runs must not read on in the commands that come after it.
      shell.stdin.write(`{\n${commands}} 2>&1 < /dev/null\necho '${mark}'\n`)
      const deadline = Date.now() + BLOCK_WITHIN_MS
      while (!printed.includes(mark)) {
        if (shell.exitCode !== null) throw new Error(`the shell ended after: ${printed}`)
        if (Date.now() > deadline) throw new Error(`not done within ${BLOCK_WITHIN_MS} ms: ${commands}\n${printed}`)
        await new Promise<void>((resolve) => {
          wake = resolve
          setTimeout(resolve, 1_000).unref()
        })
      }
      return printed.slice(0, printed.indexOf(mark))
    },
    close: () => void shell.kill('SIGKILL'),
  }
}

const BLOCK_WITHIN_MS = 90_000
