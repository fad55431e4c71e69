// Owns a Nest project as `nest new` makes one, in a folder outside of this repository, with the packed package installed from its tarball.
//
// It is installed from the versions of our own lockfile, so that npm's cache has them and no registry is asked. What our lockfile
// lacks is left out of the project's development dependencies (linters, Vitest, ts-jest); everything else is as the schematic wrote it.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
/** What takes longer hangs: its status is then null. */
const NODE_MS_MAX = 60_000;

export type ModuleKind = 'esm' | 'cjs';

export interface FreshProject {
  readonly folder: string;
  /** Writes a file below the project's folder. */
  write(path: string, text: string): Promise<void>;
  /** Runs a script of the project's package.json. @throws Error with its output unless it ends with 0. */
  npm(...args: string[]): string;
  /** Runs Node in the project's folder. @throws Error with its output unless it ends with 0. */
  node(...args: string[]): string;
  /** As `node`, whatever the exit code. */
  tryNode(...args: string[]): { readonly status: number | null; readonly output: string };
}

/** Two projects that share what is installed. They are removed by `remove`. */
export interface FreshProjects {
  readonly esm: FreshProject;
  readonly cjs: FreshProject;
  /** Paths inside the tarball, without `package/`. */
  readonly packed: readonly string[];
  remove(): Promise<void>;
}

interface Manifest {
  name: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  [other: string]: unknown;
}

interface Lockfile {
  packages: Record<string, { readonly version?: string }>;
}

/** Builds, packs, generates and installs. */
export async function freshProjects(): Promise<FreshProjects> {
  run(ROOT, process.execPath, ['scripts/build.mjs']);
  const parent = await mkdtemp(join(tmpdir(), 'millrace-first-hour-'));
  // Without the scripts: they would build anew from nothing, under the feet of specs that run what is built.
  const [pack] = JSON.parse(
    npm(ROOT, 'pack', '--ignore-scripts', '--json', '--pack-destination', parent),
  ) as { filename: string; files: { path: string }[] }[];
  const esm = await generate(parent, 'esm');
  const cjs = await generate(parent, 'cjs');
  await install(esm, join(parent, pack!.filename));
  await symlink(join(esm, 'node_modules'), join(cjs, 'node_modules'));
  return {
    esm: project(esm),
    cjs: project(cjs),
    packed: pack!.files.map(({ path }) => path),
    remove: () => rm(parent, { recursive: true, force: true }),
  };
}

async function generate(parent: string, kind: ModuleKind): Promise<string> {
  const schematics = join(ROOT, 'node_modules/@angular-devkit/schematics-cli/bin/schematics.js');
  const collection = join(ROOT, 'node_modules/@nestjs/schematics');
  const options = [`--name=shop-${kind}`, `--type=${kind}`, '--language=ts', '--strict', '--no-dry-run'];
  run(parent, process.execPath, [schematics, `${collection}:application`, ...options]);
  const folder = join(parent, `shop-${kind}`);
  const path = join(folder, 'package.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as Manifest;
  const { packages } = await lockfile();
  for (const name of Object.keys(manifest.devDependencies))
    if (packages[`node_modules/${name}`] === undefined) delete manifest.devDependencies[name];
  manifest.devDependencies['jest'] ??= '^30.0.0';
  await writeFile(path, JSON.stringify(manifest, null, 2));
  // Types of test runners that are not installed.
  const tsconfig = join(folder, 'tsconfig.json');
  const text = await readFile(tsconfig, 'utf8');
  await writeFile(tsconfig, text.replace(/"types": \[.*?\]/s, '"types": ["node"]'));
  return folder;
}

async function lockfile(): Promise<Lockfile> {
  return JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as Lockfile;
}

async function install(folder: string, tarball: string): Promise<void> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
  const { packages } = await lockfile();
  const { name, dependencies, devDependencies } = manifest;
  const lock = {
    ...{ name, version: '0.0.1', lockfileVersion: 3, requires: true },
    packages: { ...packages, '': { name, version: '0.0.1', dependencies, devDependencies } },
  };
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock, null, 2));
  npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', tarball);
}

function project(folder: string): FreshProject {
  const tryNode = (...args: string[]): { status: number | null; output: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      ...{ cwd: folder, encoding: 'utf8', env: environment(), timeout: NODE_MS_MAX },
    });
    return { status, output: stdout + stderr };
  };
  return {
    folder,
    async write(path, text) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    },
    npm: (...args) => npm(folder, ...args),
    node: (...args) => {
      const { status, output } = tryNode(...args);
      if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${String(status)}:\n${output}`);
      return output;
    },
    tryNode,
  };
}

/** A copy of what is installed, without some packages: what a user has who did not install them. */
export async function without(
  { folder }: FreshProject,
  packages: readonly string[],
  target: string,
): Promise<FreshProject> {
  await mkdir(join(target, 'node_modules'), { recursive: true });
  for (const name of await readdir(join(folder, 'node_modules'))) {
    if (name.startsWith('.') || packages.includes(name)) continue;
    const from = join(folder, 'node_modules', name);
    // A link would lead back to where the others are.
    if (name === 'millrace') await cp(from, join(target, 'node_modules', name), { recursive: true });
    else await symlink(from, join(target, 'node_modules', name));
  }
  return project(target);
}

function npm(cwd: string, ...args: string[]): string {
  // By `npm run …` npm says where it is; otherwise it is beside a Node, if not beside this one.
  const given = process.env['npm_execpath'];
  if (given !== undefined && existsSync(given)) return run(cwd, process.execPath, [given, ...args]);
  return run(cwd, 'npm', args);
}

function run(cwd: string, command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...{ cwd, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, env: environment() },
    shell: command === 'npm' && process.platform === 'win32',
  });
  if (status !== 0) {
    throw new Error(
      `${command} ${args.join(' ')} ended with ${String(status)}:\n${error?.message ?? ''}${stdout}${stderr}`,
    );
  }
  return stdout;
}

/** Ours, without what Jest and an outer npm tell their children; `node` is the one that runs the specs. */
function environment(): NodeJS.ProcessEnv {
  const given = { ...process.env, NODE_OPTIONS: '', JEST_WORKER_ID: undefined, NODE_ENV: undefined };
  const kept = Object.entries(given).filter(
    ([name, value]) =>
      value !== undefined &&
      !/^npm_(config_(?!registry|cache|offline|userconfig)|package|lifecycle)/i.test(name),
  );
  const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`;
  return { ...Object.fromEntries(kept), PATH: path };
}
