import { type FileHandle, open, truncate } from 'node:fs/promises'

/** One line that was not imported; a line of the error file. */
export interface ImportFailure {
  readonly line: number
  readonly code: string
  readonly reason: string
  /** As it stands in the source. Personal data: the error file is readable by its owner only. */
  readonly original: string
}

/** The error file: NDJSON, created when the first line fails. */
export interface ImportFailures {
  add(failure: ImportFailure): void
  /** Writes what was added; answers the length of the file in bytes. */
  flush(): Promise<number>
  close(): Promise<void>
}

/** Opens the error file at a known length; what stands beyond it comes from a run that was killed before it said so. */
export async function openImportFailures(path: string, keptBytes: number): Promise<ImportFailures> {
  let file: FileHandle | undefined
  let bytes = keptBytes
  let pending: string[] = []
  await truncate(path, keptBytes).catch((error: { code?: string }) => {
    if (error.code !== 'ENOENT' || keptBytes > 0) throw error
  })
  return {
    add: (failure) => void pending.push(`${JSON.stringify(failure)}\n`),
    async flush() {
      if (pending.length === 0) return bytes
      const text = pending.join('')
      pending = []
      file ??= await open(path, 'a', 0o600)
      await file.appendFile(text)
      bytes += Buffer.byteLength(text)
      return bytes
    },
    async close() {
      await file?.close()
    },
  }
}
