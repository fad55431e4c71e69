// `npm run test:contract:matrix`: the contract suite on every kind of broker that Millrace supports, one after the other:
// the newest release, the same with its level of transaction.version lowered, and the floor.

import { spawn } from 'node:child_process';
import { join } from 'node:path';

const FLOOR = '3.9.2';
const kinds = [
  { name: 'newest release', environment: {} },
  { name: 'transaction.version 1', environment: { MILLRACE_TEST_TRANSACTION_VERSION: '1' } },
  { name: 'transaction.version 0', environment: { MILLRACE_TEST_TRANSACTION_VERSION: '0' } },
  { name: `Kafka ${FLOOR}`, environment: { MILLRACE_TEST_KAFKA_VERSION: FLOOR } },
];

const root = join(import.meta.dirname, '..');
const jest = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  join(root, 'node_modules/jest/bin/jest.js'),
  '--selectProjects',
  'integration',
  '--runInBand',
  'test/contract',
];

/** Runs the suite on one kind of broker; resolves to its exit code. */
function run({ environment }) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, jest, {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...environment },
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

const failed = [];
for (const kind of kinds) {
  console.log(`\n== ${kind.name}`);
  if ((await run(kind)) !== 0) failed.push(kind.name);
}
console.log(failed.length === 0 ? `\nAll ${kinds.length} kinds passed.` : `\nFailed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
