// Owns the built form of our side: a user's service runs JavaScript, so the benchmark does too. Types stripped at start would
// cost half a second and some 100 MB that no user pays.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

/** Builds the libraries, if anything changed, and the application; the path of its script. Inside the package, for `#libs`. */
export function buildMillraceApp(): string {
  execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const source = readFileSync(join(ROOT, 'test/benchmarks/millrace-app.ts'), 'utf8');
  const script = join(ROOT, 'dist/test/benchmarks/millrace-app.js');
  mkdirSync(dirname(script), { recursive: true });
  writeFileSync(script, stripTypeScriptTypes(source));
  return script;
}
