// Loaded before a process of the application (`--import`): changes the source of modules as they are loaded, as the guarantee named by
// MILLRACE_CHAOS_SABOTAGE says. No file changes, and no product code knows of it.
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sabotageOf, sabotaged } from './sabotages.ts';

const ROOT = join(import.meta.dirname, '../../..');
const guarantee = process.env['MILLRACE_CHAOS_SABOTAGE'] ?? '';
const sabotage = sabotageOf(guarantee);
if (sabotage === undefined) throw new Error(`MILLRACE_CHAOS_SABOTAGE: "${guarantee}" is no guarantee`);
const { edits } = sabotage;

registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith('file:')) return nextLoad(url, context);
    const file = fileURLToPath(url);
    const name = relative(ROOT, file).split(sep).join('/');
    const own = edits.filter((edit) => edit.file === name);
    if (own.length === 0) return nextLoad(url, context);
    return {
      format: 'module',
      source: stripTypeScriptTypes(sabotaged(readFileSync(file, 'utf8'), own)),
      shortCircuit: true,
    };
  },
});
