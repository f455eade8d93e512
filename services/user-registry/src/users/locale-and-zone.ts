/** The canonical spelling of a BCP 47 tag, or undefined when it is none. */
export function canonicalLocale(tag: string): string | undefined {
  return remembered(locales, tag, () => Intl.getCanonicalLocales(tag)[0])
}

/** The zone with the letter case of the IANA database, or undefined when it is none. Aliases stay as given. */
export function canonicalTimeZone(zone: string): string | undefined {
  // Offsets such as +01:00 are accepted by Intl, but name no zone.
  if (!/^[a-z]/i.test(zone)) return undefined
  return remembered(zones, zone, () => {
    const resolved = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
    return resolved.toLowerCase() === zone.toLowerCase() ? resolved : zone
  })
}

// Intl takes some 30 us a question and the same few answers serve every user. Only valid spellings are kept, so the
// bound is reached by nobody but an attacker, who then pays for the questions.
const MAX_REMEMBERED = 2_000
const locales = new Map<string, string>()
const zones = new Map<string, string>()

function remembered(known: Map<string, string>, given: string, ask: () => string | undefined): string | undefined {
  const hit = known.get(given)
  if (hit !== undefined) return hit
  try {
    const answer = ask()
    if (answer !== undefined && known.size < MAX_REMEMBERED) known.set(given, answer)
    return answer
  } catch {
    return undefined
  }
}
