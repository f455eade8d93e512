import { domainToASCII } from 'node:url'
import { foldCase } from './fold-case.js'

/** True for an address that could be delivered to: one local part, one domain with at least one dot. */
export function isEmailAddress(text: string): boolean {
  if (text.length > MAX_LENGTH || !ADDRESS.test(text)) return false
  const [local, domain] = split(text)
  if (local.startsWith('.') || local.endsWith('.') || local.includes('..')) return false
  return PLAIN_DOMAIN.test(domain) || PLAIN_DOMAIN.test(domainToASCII(domain))
}

/** The form under which two addresses are the same: case folded, the domain as it stands in the DNS. */
export function emailKey(address: string): string {
  const [local, domain] = split(address)
  const asciiDomain = PLAIN_DOMAIN.test(domain) ? domain.toLowerCase() : domainToASCII(domain)
  return `${foldCase(local)}@${asciiDomain === '' ? foldCase(domain) : asciiDomain}`
}

// RFC 5321 4.5.3.1: 64 octets for the local part, 254 for a path without its brackets.
const MAX_LENGTH = 254
// No quoted local parts and no address literals: nobody has them, and every parser reads them differently.
const ADDRESS = /^[^\s@\p{C}"(),:;<>[\\\]]{1,64}@(?:[\p{L}\p{N}\p{M}-]{1,63}\.)+[\p{L}\p{N}\p{M}-]{2,63}$/u
const PLAIN_DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/i

function split(address: string): [local: string, domain: string] {
  const at = address.lastIndexOf('@')
  return [address.slice(0, at), address.slice(at + 1)]
}
