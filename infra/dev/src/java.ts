import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ToolMissingError } from './stack-errors.js'

const run = promisify(execFile)
const OLDEST = 17

export interface Java {
  readonly command: string
  /** Full text of `java -version`: part of the key of a class archive, which is valid for one build of Java only. */
  readonly version: string
}

let found: Promise<Java> | undefined

/** The Java of `JAVA_HOME`, or the one on the path. @throws ToolMissingError when there is none or it is older than 17. */
export function findJava(): Promise<Java> {
  found ??= detect()
  return found
}

async function detect(): Promise<Java> {
  const command = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java'
  const waysOut =
    'install one (Debian and Ubuntu: apt-get install default-jdk-headless maven; macOS: brew install openjdk maven), ' +
    'or use ROLLCALL_STACK=containers or ROLLCALL_STACK=external'
  let version: string
  try {
    version = (await run(command, ['-version'])).stderr
  } catch (error) {
    throw new ToolMissingError(
      `Kafka and the schema registry need Java ${OLDEST} or newer and \`${command}\` does not run: ${waysOut}.`,
      error,
    )
  }
  const major = Number(/version "(\d+)/.exec(version)?.[1] ?? 0)
  if (major < OLDEST) {
    throw new ToolMissingError(
      `Kafka and the schema registry need Java ${OLDEST} or newer and \`${command}\` is Java ${major}: ${waysOut}.`,
    )
  }
  return { command, version }
}

/**
 * Resolves what a pinned pom.xml names into a directory, with one goal of Maven's dependency plugin.
 *
 * @throws ToolMissingError when `mvn` is missing or cannot resolve.
 */
export async function resolveWithMaven(
  pom: string,
  goal: 'copy-dependencies' | 'unpack-dependencies',
  directory: string,
): Promise<void> {
  const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1'
  // Maven notes what it unpacked beside the pom and then unpacks nothing the next time: its notes go away with the rest.
  const markers = join(directory, '.markers')
  const args = [
    '-q',
    '-B',
    '-f',
    pom,
    `${plugin}:${goal}`,
    `-DoutputDirectory=${directory}`,
    `-DmarkersDirectory=${markers}`,
  ]
  try {
    await run('mvn', args, { maxBuffer: 16_777_216 })
    rmSync(markers, { recursive: true, force: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new ToolMissingError(
        'The jars of Kafka and the schema registry are fetched once with Maven and `mvn` is not installed: install it (Debian and Ubuntu: apt-get install maven; macOS: brew install maven), or use ROLLCALL_STACK=containers or ROLLCALL_STACK=external.',
        error,
      )
    }
    const { stdout = '' } = error as { stdout?: string }
    const reason = stdout.split('\n').find((line) => line.includes('ERROR')) ?? (error as Error).message
    throw new ToolMissingError(`Maven could not resolve ${pom}: ${reason.trim()}`, error)
  }
}
