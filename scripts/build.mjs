// Builds libs/ and apps/ into dist/ with the TypeScript compiler, and copies what is not TypeScript beside it.
// A build with no changed file ends without starting the compiler; `--clean` starts from nothing.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const stampPath = join(root, 'dist/.tsbuildinfo/build.stamp');

/** Every file below libs/<name>/src and apps/<name>/src, relative to the root. */
function sourceFiles() {
  const files = [];
  for (const parent of ['libs', 'apps']) {
    for (const project of list(join(root, parent))) {
      const src = join(parent, project, 'src');
      for (const entry of list(join(root, src), { recursive: true, withFileTypes: true })) {
        if (entry.isFile()) files.push(join(entry.parentPath.slice(root.length + 1), entry.name));
      }
    }
  }
  return files.sort();
}

function list(path, options) {
  try {
    return readdirSync(path, options);
  } catch {
    return [];
  }
}

function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of [
    ...files,
    'tsconfig.base.json',
    'tsconfig.libs.json',
    'tsconfig.nest.json',
    'tsconfig.dashboard.json',
    'package-lock.json',
  ]) {
    const { mtimeMs, size } = statSync(join(root, file));
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

// Outputs of deleted sources stay in dist/ otherwise, and must not be published.
if (process.argv.includes('--clean')) rmSync(join(root, 'dist'), { recursive: true, force: true });

const files = sourceFiles();
// Copied, not compiled.
const errorPages = list(join(root, 'docs/errors')).map((name) => join('docs/errors', name));
const current = fingerprint([...files, ...errorPages]);
let built;
try {
  built = readFileSync(stampPath, 'utf8');
} catch {
  built = undefined;
}
if (built !== current) {
  const started_ms = performance.now();
  process.stdout.write('Building ... ');
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(
    process.execPath,
    [tsc, '-b', 'tsconfig.nest.json', 'tsconfig.dashboard.json', '--pretty'],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  if (status !== 0) {
    console.log(`failed\n${stdout}`);
    process.exit(1);
  }
  for (const file of files) {
    if (/\.[cm]?tsx?$/.test(file)) continue;
    mkdirSync(join(root, 'dist', dirname(file)), { recursive: true });
    cpSync(join(root, file), join(root, 'dist', file));
  }
  // The dashboard shows the pages of error codes, and docs/ is not published.
  cpSync(join(root, 'docs/errors'), join(root, 'dist/libs/control/src/dashboard/errors'), {
    recursive: true,
  });
  writeFileSync(stampPath, current);
  console.log(`done in ${((performance.now() - started_ms) / 1000).toFixed(1)} s`);
}
