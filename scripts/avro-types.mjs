// Writes a TypeScript module beside each .avsc file that is named: flight.avsc becomes flight.avsc.ts. The generator is libs/serde's.
//
//   node --conditions=millrace-source scripts/avro-types.mjs [--logical-types] [--check] schema.avsc …
//
// --check writes nothing and ends with 1 where a module is not what would be written.
import { readFile, writeFile } from 'node:fs/promises';
import { avroTypeScript } from '#libs/serde';

const flags = new Set(process.argv.slice(2).filter((word) => word.startsWith('--')));
const files = process.argv.slice(2).filter((word) => !word.startsWith('--'));
if (files.length === 0) {
  console.error('Name the .avsc files.');
  process.exitCode = 2;
}
for (const file of files) {
  const schema = JSON.parse(await readFile(file, 'utf8'));
  const text = avroTypeScript(schema, { logicalTypes: flags.has('--logical-types') });
  const target = `${file}.ts`;
  const there = await readFile(target, 'utf8').catch(() => '');
  if (there === text) continue;
  if (flags.has('--check')) {
    console.error(`${target} is not what ${file} says.`);
    process.exitCode = 1;
    continue;
  }
  await writeFile(target, text);
  console.log(target);
}
