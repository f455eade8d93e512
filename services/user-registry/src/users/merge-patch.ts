import type { JsonObject, JsonValue } from '@rollcall/events'

/**
 * Applies a JSON Merge Patch (RFC 7396): objects merge member by member, null removes, anything else replaces.
 * Changes neither argument.
 */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map<string, JsonValue>(Object.entries(target))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name)
    else if (isObject(value)) merged.set(name, mergePatch(objectOr(merged.get(name)), value))
    else merged.set(name, value)
  }
  // fromEntries defines members; assignment would let a member named __proto__ change the prototype.
  return Object.fromEntries(merged)
}

function objectOr(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {}
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
