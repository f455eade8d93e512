// Loaded into a service by `node --import`: seeds the bug ROLLCALL_CHAOS_MUTANT names into one file of ours while it is loaded.
// Nothing on disk is changed.
import { register } from 'node:module'

const mutant = process.env.ROLLCALL_CHAOS_MUTANT
if (mutant !== undefined) register('./mutant-hooks.js', import.meta.url, { data: { mutant } })
