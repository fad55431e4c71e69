// Loads libs/topology once for each mutant, with the bug in place, runs the vectors that must notice, and writes a line of JSON for each.
// A process of its own: the loading of modules is Node's, changed by hooks. `node --conditions=millrace-source test/vectors/mutants/run.ts`
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { explained } from '../difference.ts';
import type * as DriverModule from '../on-driver.ts';
import type * as TopologyModule from '../topologies/index.ts';
import { mutants } from './index.ts';
import { planted } from './mutant.ts';
import type { Mutant } from './mutant.ts';
import { readVectors } from '../vectors.ts';

const ROOT = join(import.meta.dirname, '../../..');
const TOPOLOGY = `${pathToFileURL(join(ROOT, 'libs/topology')).href}/`;
const VECTORS = `${pathToFileURL(join(ROOT, 'test/vectors')).href}/`;
const QUERY = '?mutant=';

export interface Outcome {
  readonly bug: string;
  /** What noticed: the page of the difference or the error. `null`: the mutant survived. */
  readonly caught: string | null;
  /** The text to change is not where it was. */
  readonly misplaced: boolean;
}

const plain = new Map<string, string>();

function sourceOf(file: string): string {
  let source = plain.get(file);
  if (source === undefined) {
    source = readFileSync(file, 'utf8');
    plain.set(file, source);
  }
  return source;
}

/** Without types; what is not changed is stripped once for all mutants. */
const stripped = new Map<string, string>();

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    const query = context.parentURL?.split(QUERY)[1];
    // Everything that holds a part of the library is loaded anew; other libraries are shared.
    if (query === undefined || !(resolved.url.startsWith(TOPOLOGY) || resolved.url.startsWith(VECTORS))) {
      return resolved;
    }
    return { ...resolved, url: `${resolved.url.split('?')[0]!}${QUERY}${query}` };
  },
  load(url, context, nextLoad) {
    const [address, query] = url.split(QUERY);
    if (query === undefined) return nextLoad(url, context);
    const file = fileURLToPath(address!);
    const mutant = mutants[Number(query)]!;
    const isChanged = file === fileOf(mutant);
    const source = isChanged
      ? stripTypeScriptTypes(planted(mutant, sourceOf(file))!)
      : (stripped.get(file) ?? stripTypeScriptTypes(sourceOf(file)));
    if (!isChanged) stripped.set(file, source);
    return { format: 'module', source, shortCircuit: true };
  },
});

const SOURCES = join(ROOT, 'libs/topology/src');
const places = new Map<Mutant, string | null>();

/** Where a mutant is planted: the file it names, or the only other one with its text, to which it was moved. `null`: nowhere. */
function fileOf(mutant: Mutant): string | null {
  let place = places.get(mutant);
  if (place === undefined) {
    const named = join(SOURCES, mutant.file);
    const holds = (file: string): boolean => existsSync(file) && planted(mutant, sourceOf(file)) !== null;
    const found = holds(named) ? [named] : sources().filter(holds);
    place = found.length === 1 ? found[0]! : null;
    places.set(mutant, place);
  }
  return place;
}

const sources = (): string[] =>
  readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(SOURCES, file));

async function outcomeOf(mutant: Mutant, index: number): Promise<Outcome> {
  const { bug } = mutant;
  if (fileOf(mutant) === null) return { bug, caught: null, misplaced: true };
  const load = (file: string): Promise<unknown> => import(`${VECTORS}${file}${QUERY}${index}`);
  const { buildTopology } = (await load('topologies/index.ts')) as typeof TopologyModule;
  const { firstDifference } = (await load('on-driver.ts')) as typeof DriverModule;
  for (const name of mutant.caughtBy) {
    const vectors = readVectors(name);
    try {
      const difference = firstDifference(() => buildTopology(vectors), vectors);
      if (difference !== null) return { bug, caught: explained(vectors, difference), misplaced: false };
    } catch (error) {
      return { bug, caught: String(error), misplaced: false };
    }
  }
  return { bug, caught: null, misplaced: false };
}

for (const [index, mutant] of mutants.entries()) {
  console.log(JSON.stringify(await outcomeOf(mutant, index)));
}
