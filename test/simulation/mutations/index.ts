// All deliberate bugs: those of committing, of owning, of state, and of reading.
import type { Mutant } from './mutant.ts';
import { ofCommits } from './commits.ts';
import { ofOwnership } from './ownership.ts';
import { ofReading } from './reading.ts';
import { ofState } from './state.ts';

export const mutants: readonly Mutant[] = [...ofCommits, ...ofOwnership, ...ofState, ...ofReading];
