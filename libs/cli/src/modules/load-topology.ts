// Owns finding a topology in a module of the user's: imported as Node does, TypeScript included, and looked through for something that is one.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FatalError, asError } from '#libs/core';
import type { DescribedTopology, StreamsBuilder, Topology } from '#libs/millrace';

/** What a topology and an application have in common. */
export interface Describable {
  describe(): string;
  describeAsMermaid(): string;
  describeAsGraph(): DescribedTopology;
}

/** Looked for in this order, where none is named. */
const NAMES = ['default', 'topology', 'builder', 'application', 'buildTopology', 'createTopology'];

/** @throws FatalError MILLRACE_INVALID_CONFIG it cannot be loaded, or holds none; whatever building the topology throws. */
export async function loadDescribable(file: string, exportName?: string): Promise<Describable> {
  const exports = await load(file);
  const names = exportName === undefined ? [...NAMES, ...Object.keys(exports)] : [exportName];
  for (const name of names) {
    if (!Object.hasOwn(exports, name)) continue;
    const found = await describableOf(exports[name], exportName !== undefined || NAMES.includes(name));
    if (found !== null) return found;
  }
  const there = Object.keys(exports);
  throw invalid(
    exportName === undefined
      ? `${file} exports no topology, builder or application; it exports ${there.join(', ') || 'nothing'}.`
      : `${file} exports ${Object.hasOwn(exports, exportName) ? `"${exportName}", which is none` : `no "${exportName}"`}; it exports ${there.join(', ') || 'nothing'}.`,
    'Export a StreamsBuilder, a Topology, a StreamsApplication, or a function without parameters that gives one; choose it by --export.',
  );
}

/** The same, where only a topology will do. */
export async function loadTopology(file: string, exportName?: string): Promise<Topology> {
  const found = await loadDescribable(file, exportName);
  if ('subTopologies' in found) return found as Topology;
  throw invalid(
    `${file} exports an application, and stores are described by a topology.`,
    'Export the StreamsBuilder or the Topology too, and choose it by --export.',
  );
}

async function load(file: string): Promise<Readonly<Record<string, unknown>>> {
  const path = resolve(file);
  if (!existsSync(path))
    throw invalid(`There is no module ${path}.`, 'Name a JavaScript or TypeScript file.');
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `${file} cannot be loaded: ${asError(error).message}`,
      remedy:
        'It is imported as Node does it: TypeScript with types that can be left out, no decorators; else name the compiled file.',
      cause: error,
      context: { path },
    });
  }
}

/** `mayCall`: somebody has named it so; of other functions nobody knows what they do. */
async function describableOf(value: unknown, mayCall: boolean): Promise<Describable | null> {
  let given = value;
  if (typeof given === 'function' && given.length === 0 && mayCall && !isClass(given))
    given = await (given as () => unknown)();
  if (typeof given !== 'object' || given === null) return null;
  if ('describeAsMermaid' in given && 'describeAsGraph' in given) return given as Describable;
  if ('build' in given && typeof given.build === 'function') {
    const built: unknown = (given as StreamsBuilder).build();
    if (typeof built === 'object' && built !== null && 'describeAsMermaid' in built)
      return built as Describable;
  }
  return null;
}

function isClass(value: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

function invalid(message: string, remedy: string): FatalError {
  return new FatalError({ code: 'MILLRACE_INVALID_CONFIG', message, remedy });
}
