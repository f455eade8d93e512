import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseTopicSpecs, type TopicSpec } from '@rollcall/kafka'
import { UsageInvalidError } from './command-errors.js'
import { findUpwards } from './find-upwards.js'

export const DEFAULT_TOPICS_FILE = 'infra/kafka/topics.json'

/**
 * Reads the topics as data; the default file is looked for in the folders above as well.
 *
 * @throws UsageInvalidError when the file is missing or wrong
 */
export function readTopicsFile(cwd: string, file: string): TopicSpec[] {
  const path = (file === DEFAULT_TOPICS_FILE ? findUpwards(cwd, file) : undefined) ?? resolve(cwd, file)
  try {
    return parseTopicSpecs(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    const missing = (error as { code?: string }).code === 'ENOENT'
    throw new UsageInvalidError(
      missing ? `There is no topics file ${path}; name one with --file.` : `${path}: ${(error as Error).message}`,
      { file: path },
    )
  }
}
