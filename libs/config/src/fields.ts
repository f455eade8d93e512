import { z } from 'zod'

/** A TCP port; 0 asks the system for a free one. */
export const port = () => z.coerce.number().int().min(0).max(65_535)

/** A duration in whole milliseconds, between the bounds. */
export const durationMs = ({ min = 0, max = 86_400_000 } = {}) => z.coerce.number().int().min(min).max(max)

/** `true` or `false`, spelled out: an environment variable set to "0" must not silently mean true. */
export const booleanText = () => z.enum(['true', 'false']).transform((text) => text === 'true')

/** A comma-separated list with at least one entry. */
export const listOf = () =>
  z
    .string()
    .transform((text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean),
    )
    .refine((parts) => parts.length > 0, 'expected at least one entry')
