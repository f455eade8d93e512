/**
 * A projection has up to three sides: the live one that readers see, the next one while a rebuild fills it, and the one
 * before the last cut-over, kept following so that going back is one step. A side is a set of tables in a schema of its
 * own, with its own versions, checkpoints and parked users; to the runner it is a projection of another name.
 */
export type Aside = 'next' | 'prev'

/** `~` cannot be in the name of a projection, so no two meet. */
export const sideName = (projection: string, side: Aside): string => `${projection}~${side}`

/** The schema in which the tables of the side stand. */
export const sideSchema = sideName

/** The table of a read model, with the schema it has while its side is live. */
export interface SideTable {
  readonly schema: string
  readonly name: string
}
