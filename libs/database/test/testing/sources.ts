import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { MigrationSource } from '../../src/index.js'

/** A source with one table, `shop.item`. */
export async function outsideSources(): Promise<MigrationSource[]> {
  const folder = await mkdtemp(join(tmpdir(), 'source-'))
  await mkdir(join(folder, '1_item'))
  await writeFile(join(folder, '1_item', 'migration.sql'), 'CREATE TABLE item (id integer)')
  return [{ schema: 'shop', directory: pathToFileURL(folder) }]
}
