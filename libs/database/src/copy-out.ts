import { RollcallError } from '@rollcall/errors'
import type pg from 'pg'
import copyStreams from 'pg-copy-streams'

/**
 * Streams the raw bytes of `COPY (…) TO STDOUT`. COPY takes no parameters: interpolate only numbers and texts you
 * validated yourself. The connection is busy until the iteration ends; leaving early destroys nothing but drains
 * the rest, so bound the query with LIMIT.
 */
export async function* copyOut(client: pg.ClientBase, sql: string): AsyncGenerator<Buffer> {
  const stream = client.query(copyStreams.to(sql, { highWaterMark: 1 << 18 }))
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) yield chunk as Buffer
  } finally {
    // The connection answers nothing else before the last CopyData was read.
    if (!stream.readableEnded) for await (const _ of stream);
  }
}

/**
 * Reads one bounded page of `COPY (…) TO STDOUT (FORMAT binary)` into one buffer, for `forEachBinaryRow`.
 * pg's own `binary: true` is no alternative: 8.23.1 reads every binary field as UTF-8 and corrupts it silently.
 */
export async function copyOutPage(client: pg.ClientBase, sql: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  await new Promise<void>((resolve, reject) => {
    const stream = client.query(copyStreams.to(sql, { highWaterMark: 1 << 20 }))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', resolve)
    stream.on('error', reject)
  })
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
}

/**
 * Walks the rows of a binary COPY page without copying: `visit` gets the offset of the row's first field, which is
 * a 4-byte length (-1 for NULL) followed by that many bytes, then the next field.
 *
 * @returns the number of rows.
 */
export function forEachBinaryRow(page: Buffer, columns: number, visit: (offset: number) => void): number {
  if (page.length < HEADER_LENGTH || page.readUInt32BE(0) !== 0x5047434f) throw new CopyFormatError('no PGCOPY header')
  let offset = HEADER_LENGTH + page.readUInt32BE(15)
  for (let rows = 0; ; rows++) {
    if (offset + 2 > page.length) throw new CopyFormatError('the page ends inside a row')
    const fields = page.readInt16BE(offset)
    if (fields === -1) return rows
    if (fields !== columns) throw new CopyFormatError(`${fields} columns instead of ${columns}`)
    offset += 2
    visit(offset)
    for (let field = 0; field < columns; field++) {
      const length = page.readInt32BE(offset)
      offset += length > 0 ? 4 + length : 4
    }
  }
}

// 11 bytes of signature, 4 of flags, 4 of extension length.
const HEADER_LENGTH = 19

/** The bytes are not the binary COPY page the reader expects. */
export class CopyFormatError extends RollcallError {
  constructor(reason: string) {
    super({ code: 'ERR_COPY_FORMAT_INVALID', message: `The COPY answer cannot be read: ${reason}.`, facts: { reason } })
  }
}
