import { isIP } from 'node:net'
import { z } from 'zod'

/**
 * An address that only this machine can reach. Until callers carry tokens the services refuse to listen anywhere else.
 */
export const loopbackHost = () =>
  z
    .string()
    .refine(isLoopback, 'only a loopback address is allowed while callers are not authenticated; use 127.0.0.1 or ::1')

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}
