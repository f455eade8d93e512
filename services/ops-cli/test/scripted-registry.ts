import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the scripted registry does with one request; requests beyond the script are answered well. */
export type Step =
  | { readonly act: 'answer' }
  /** Commits `lines` lines, answers `answered` of them, and cuts the connection. */
  | { readonly act: 'die'; readonly lines: number; readonly answered: number }
  /** Commits and answers `lines` lines, and ends the answer as if that were all. */
  | { readonly act: 'stop early'; readonly lines: number }
  | { readonly act: 'refuse'; readonly status: number; readonly problem?: object }
  /** Commits everything and says nothing. */
  | { readonly act: 'hang' }
  /** Answers something else. */
  | { readonly act: 'babble' }

/** A registry's import over real HTTP: keeps what it did per import id and line, so that doing a line twice shows. */
export interface ScriptedRegistry {
  readonly url: string
  /** Applications of each user name: more than one is a line done twice. */
  readonly applied: ReadonlyMap<string, number>
  readonly requests: readonly { readonly importId: string; readonly firstLine: number; readonly lines: number }[]
  close(): Promise<void>
}

export async function scriptedRegistry(script: readonly Step[] = []): Promise<ScriptedRegistry> {
  const applied = new Map<string, number>()
  const remembered = new Map<string, string>()
  const requests: { importId: string; firstLine: number; lines: number }[] = []
  const steps = [...script]

  const server = createServer((request, response) => {
    void serve(request, response)
  })

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const lines = (await textOf(request)).split('\n').filter((line) => line !== '')
    const importId = String(request.headers['import-id'])
    const firstLine = Number(request.headers['import-first-line'])
    requests.push({ importId, firstLine, lines: lines.length })
    const step = steps.shift() ?? { act: 'answer' }
    if (step.act === 'refuse') {
      response.writeHead(step.status, { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify(step.problem ?? {}))
      return
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    if (step.act === 'babble') {
      response.end('<html>\n')
      return
    }
    const committed = 'lines' in step ? step.lines : lines.length
    const answers = lines.slice(0, committed).map((text, at) => answer(importId, firstLine + at, text))
    if (step.act === 'hang') {
      response.flushHeaders()
      return
    }
    const said = step.act === 'die' ? answers.slice(0, step.answered) : answers
    response.write(said.map((one) => `${one}\n`).join(''), () => {
      if (step.act === 'die') response.destroy()
      else response.end()
    })
    if (said.length === 0 && step.act === 'die') response.destroy()
  }

  function answer(importId: string, line: number, text: string): string {
    const key = `${importId}:${line}`
    const before = remembered.get(key)
    if (before !== undefined) return before
    const result = apply(line, text)
    remembered.set(key, result)
    return result
  }

  function apply(line: number, text: string): string {
    let user: { userName?: string }
    try {
      user = JSON.parse(text) as { userName?: string }
    } catch {
      return JSON.stringify({ line, status: 'failed', error: { code: 'ERR_JSON_MALFORMED', detail: 'not JSON' } })
    }
    const name = user.userName ?? ''
    if (name.startsWith('taken')) {
      return JSON.stringify({
        line,
        status: 'failed',
        error: { code: 'ERR_USER_NAME_TAKEN', detail: 'the name is taken' },
      })
    }
    applied.set(name, (applied.get(name) ?? 0) + 1)
    return JSON.stringify({ line, status: 'created', id: '0198c0de-0000-7000-8000-000000000001', version: 1 })
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    applied,
    requests,
    close: () => closeServer(server),
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
