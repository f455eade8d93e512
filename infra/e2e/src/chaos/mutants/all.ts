import type { Mutant } from './mutant.js'
import { projectionMutants } from './projection-mutants.js'
import { registryMutants } from './registry-mutants.js'
import { relayMutants } from './relay-mutants.js'

/** Every known bug the checkers are measured by. */
export const mutants: readonly Mutant[] = [...registryMutants, ...relayMutants, ...projectionMutants]

/** @throws RangeError */
export function mutantNamed(name: string): Mutant {
  const found = mutants.find((one) => one.name === name)
  if (found === undefined)
    throw new RangeError(`There is no mutant ${name}; there are ${mutants.map((one) => one.name).join(', ')}.`)
  return found
}
