// All deliberate bugs, for each operator at least one.
import type { Mutant } from './mutant.ts';
import { ofStreams } from './streams.ts';
import { ofTables } from './tables.ts';
import { ofVersions } from './versions.ts';
import { ofWindows } from './windows.ts';

export const mutants: readonly Mutant[] = [...ofStreams, ...ofTables, ...ofWindows, ...ofVersions];
