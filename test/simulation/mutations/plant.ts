// Loads the libraries with one bug in place: `--import` it, with the bug's number in MILLRACE_MUTANT. A process of its own for each bug, and
// no build: modules are changed as Node loads them.
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mutants } from './index.ts';
import { planted } from './mutant.ts';
import type { Change } from './mutant.ts';

const LIBS = join(import.meta.dirname, '../../../libs');
const { changes } = mutants[Number(process.env['MILLRACE_MUTANT'])]!;

const byFile = new Map<string, Change[]>();
for (const change of changes) {
  const file = join(LIBS, change.file);
  byFile.set(file, [...(byFile.get(file) ?? []), change]);
}

registerHooks({
  load(url, context, nextLoad) {
    const own = url.startsWith('file:') ? byFile.get(fileURLToPath(url)) : undefined;
    if (own === undefined) return nextLoad(url, context);
    let source = readFileSync(fileURLToPath(url), 'utf8');
    for (const change of own) {
      const changed = planted(source, change);
      if (changed === null) throw new Error(`${change.file} has no single place for this bug any more`);
      source = changed;
    }
    return { format: 'module', source: stripTypeScriptTypes(source), shortCircuit: true };
  },
});
