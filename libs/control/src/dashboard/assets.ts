// Owns the files of the dashboard: which there are, how they look on the wire, and the address that changes with their content. Only what
// is listed here is served; a path of a request is looked up, and never becomes a path on the disk.
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { dirname, extname, join, sep } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  /** Compressed when it is first asked for. */
  readonly zipped: () => Promise<Buffer>;
}

/** What the page is made of. Addresses are relative to the page's own, so that a proxy may put it below a path. */
export interface DashboardAssets {
  /** Of all files together: an address with it never means anything else. */
  readonly version: string;
  readonly files: ReadonlyMap<string, Asset>;
  /** Names in `files` of our own modules; the page asks for them early. */
  readonly modules: readonly string[];
  readonly entry: string;
}

const CLIENT = join(import.meta.dirname, 'client');

/** By their names in `files`. Preact says in `exports` what may be resolved: its package.json lies at its root. */
const VENDORED: readonly (readonly [name: string, packageFile: string, path: string])[] = [
  ['vendor/preact.js', 'preact/package.json', 'dist/preact.mjs'],
  ['vendor/preact-hooks.js', 'preact/package.json', 'hooks/dist/hooks.mjs'],
  ['vendor/uplot.js', 'uplot/package.json', 'dist/uPlot.esm.js'],
  ['vendor/uplot.css', 'uplot/package.json', 'dist/uPlot.min.css'],
  ['vendor/elk-api.js', 'elkjs/package.json', 'lib/elk-api.js'],
  ['vendor/elk-worker.js', 'elkjs/package.json', 'lib/elk-worker.min.js'],
];

/** Bare names in our modules, by where they are in `files`. */
export const IMPORTS: Readonly<Record<string, string>> = {
  preact: 'vendor/preact.js',
  'preact/hooks': 'vendor/preact-hooks.js',
  uplot: 'vendor/uplot.js',
};

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Reads everything, which takes some milliseconds: for the first who opens the page. */
export async function loadAssets(): Promise<DashboardAssets> {
  const files = new Map<string, Asset>();
  for (const name of await clientFiles()) files.set(name, asset(name, await clientFile(name)));
  const modules = [...files.keys()].filter((name) => /\.[jt]s$/.test(name));
  const { resolve } = createRequire(import.meta.url);
  for (const [name, packageFile, path] of VENDORED) {
    files.set(name, asset(name, await readFile(join(dirname(resolve(packageFile)), path))));
  }
  const hash = createHash('sha256');
  for (const [name, { body }] of files) hash.update(`${name} ${body.length}\n`).update(body);
  const entry = modules.find((name) => /^main\.[jt]s$/.test(name))!;
  return { version: hash.digest('hex').slice(0, 16), files, modules, entry };
}

/** As built, JavaScript; from the sources, TypeScript, whose types Node takes away. */
async function clientFiles(): Promise<string[]> {
  const names = await readdir(CLIENT, { recursive: true });
  return names
    .map((name) => name.split(sep).join('/'))
    .filter((name) => TYPES[extname(name)] !== undefined && !name.endsWith('.d.ts'))
    .sort();
}

async function clientFile(name: string): Promise<Buffer> {
  const body = await readFile(join(CLIENT, name));
  return name.endsWith('.ts') ? Buffer.from(stripTypeScriptTypes(body.toString())) : body;
}

function asset(name: string, body: Buffer): Asset {
  let zipped: Promise<Buffer> | null = null;
  return {
    type: TYPES[extname(name)]!,
    body,
    zipped: () => (zipped ??= compress(body, { level: 9 })),
  };
}
