import { InvalidArgumentError } from 'commander'

/** Reads the name of a projection, `people` or with its service, `directory/people`. */
export function projectionName(text: string): string {
  const [service, name, ...more] = text.includes('/') ? text.split('/') : ['directory', text]
  if (name === undefined || name === '' || more.length > 0) {
    throw new InvalidArgumentError('Expected <projection> or <service>/<projection>.')
  }
  if (service === 'directory') return name
  throw new InvalidArgumentError(
    `Only the address of the directory is known here; reach another service's projections with --directory <its address> and ${name}.`,
  )
}
