// `npm test` and `npm run verify:quick`: runs every check in order, shows how long each took, and ends with the line
// `tests: N passed, N failed[, N skipped]`. A static check counts as one failed test when it fails, as none when it passes.
//
//   node scripts/test.mjs            all: format, lint, types, architecture, audit, unit, contract and integration tests
//   node scripts/test.mjs --quick    the inner loop: no broker, no integration tests

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join, relative, sep } from 'node:path';
import { findBrokerRoad } from './broker-road.mjs';
import { ensureBrowser } from './browser-road.mjs';

const root = join(import.meta.dirname, '..');
const quick = process.argv.includes('--quick');
const cache = join(root, '.cache');
mkdirSync(cache, { recursive: true });

const script = (path, ...scriptArguments) => ({ path: join(root, 'node_modules', path), scriptArguments });
const staticChecks = [
  {
    name: 'format',
    remedy: 'npm run format',
    ...script(
      'prettier/bin/prettier.cjs',
      '--check',
      '--log-level=warn',
      ...(quick ? ['--cache', '--cache-location=.cache/prettier'] : []),
      '.',
    ),
  },
  {
    name: 'types',
    remedy: 'npm run typecheck',
    ...script('typescript/bin/tsc', '-b', '--pretty', 'false'),
  },
  {
    name: 'lint',
    remedy: 'npm run lint',
    // Without ESLint's cache: rules that use types depend on files other than the one they report on.
    ...script('eslint/bin/eslint.js', '--max-warnings=0', '.'),
  },
  {
    name: 'architecture',
    remedy: 'npm run arch',
    ...script(
      'dependency-cruiser/bin/dependency-cruiser.mjs',
      '--config=.dependency-cruiser.mjs',
      'libs',
      'apps',
      'test',
    ),
  },
  {
    name: 'audit',
    remedy: 'node scripts/audit.mjs',
    path: join(root, 'scripts/audit.mjs'),
    // In the inner loop nothing is asked of a registry.
    scriptArguments: quick ? ['--offline'] : [],
    alwaysShown: true,
  },
];

const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const seconds = (since_ms) => `${((performance.now() - since_ms) / 1000).toFixed(1)} s`;

/** Runs a Node script; resolves to its exit code and, unless it writes to our terminal itself, its output. */
function runNode(commandArguments, stdio) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, commandArguments, { cwd: root, stdio: ['ignore', stdio, stdio] });
    let output = '';
    child.stdout?.on('data', (chunk) => (output += chunk));
    child.stderr?.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ code: 1, output: `${output}${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

async function runStaticCheck({ name, path, scriptArguments, remedy, alwaysShown = false }) {
  const started_ms = performance.now();
  const { code, output } = await runNode([path, ...scriptArguments], 'pipe');
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds(started_ms)})`);
  if (code === 0) {
    if (alwaysShown) console.log(output.trimEnd().replaceAll(/^/gm, '       '));
    return;
  }
  console.log(`${output.trimEnd()}\n       to see only this: ${remedy}`);
  totals.failed += 1;
  failures.push(name);
}

/** Two at a time: each check is one thread, and small machines have two cores. */
async function runStaticChecks() {
  const waiting = [...staticChecks];
  const lane = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift())
      await runStaticCheck(check);
  };
  await Promise.all([lane(), lane()]);
}

function countTests(resultPath, code) {
  // Whatever Jest could not even report counts as one failed test.
  if (!existsSync(resultPath)) return { passed: 0, failed: 1, skipped: 0 };
  const result = JSON.parse(readFileSync(resultPath, 'utf8'));
  // So does a suite that cannot be loaded: it has no tests to count.
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
  return {
    passed: result.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

async function runJest(name, jestArguments) {
  console.log(`       ${name} ...`);
  const started_ms = performance.now();
  const resultPath = join(cache, `${name}-tests.json`);
  rmSync(resultPath, { force: true });
  const { code } = await runNode(
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(root, 'node_modules/jest/bin/jest.js'),
      '--json',
      `--outputFile=${resultPath}`,
      '--passWithNoTests',
      ...jestArguments,
    ],
    'inherit',
  );
  const { passed, failed, skipped } = countTests(resultPath, code);
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
  if (failed > 0) failures.push(name);
  const counts = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  console.log(`${failed === 0 ? 'ok    ' : 'FAILED'} ${name}: ${counts} (${seconds(started_ms)})`);
}

/** Specs of the integration project that cannot run without a broker: all that do not say otherwise. */
function specsThatNeedABroker() {
  const specs = [];
  for (const folder of ['test/integration', 'test/contract', 'test/package']) {
    if (!existsSync(join(root, folder))) continue;
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.spec.ts')) continue;
      const path = join(entry.parentPath, entry.name);
      if (!/^\/\/.*needs no broker/im.test(readFileSync(path, 'utf8')))
        specs.push(relative(root, path).split(sep).join('/'));
    }
  }
  return specs;
}

/** Two specs at a time take this much at most: two shared brokers, and what a benchmark and a chaos run bring of their own. */
const TWO_WORKERS_BYTES_MIN = 6 * 2 ** 30;

async function runIntegrationTests() {
  const { road, missing } = findBrokerRoad();
  // They wait more than they compute, each worker with brokers of its own; a broker that was given is one for all.
  const canBeTwo = road !== 'KAFKA_BROKERS' && totalmem() >= TWO_WORKERS_BYTES_MIN;
  const jestArguments = ['--selectProjects', 'integration', canBeTwo ? '--maxWorkers=2' : '--runInBand'];
  // Several of them start the built services: each would find something to build, and two would do it at once.
  await runNode([join(root, 'scripts/build.mjs')], 'pipe');
  if (missing === undefined) {
    console.log(`       broker for tests: ${road}`);
  } else {
    const specs = specsThatNeedABroker();
    if (specs.length > 0) jestArguments.push('--testPathIgnorePatterns', ...specs.map((spec) => `/${spec}$`));
    totals.skipped += specs.length;
    for (const spec of specs) console.log(`skip   ${spec}`);
    console.log(`       ${specs.length} suites skipped, ${missing}`);
  }
  // Specs of the dashboard skip themselves where there is none, and say why.
  const browser = ensureBrowser();
  console.log(`       browser for tests: ${browser.path ?? browser.missing}`);
  await runJest('integration', jestArguments);
}

const started_ms = performance.now();
await runStaticChecks();
await runJest('unit', [
  '--selectProjects',
  'unit',
  '--maxWorkers=2',
  ...(quick ? ['libs/', 'test/architecture/'] : []),
]);
if (!quick) await runIntegrationTests();

console.log(
  `\n${quick ? 'verify:quick' : 'test'} took ${seconds(started_ms)}${failures.length > 0 ? `; failed: ${failures.join(', ')}` : ''}`,
);
const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
console.log(`tests: ${totals.passed} passed, ${totals.failed} failed${skipped}`);
process.exitCode = totals.failed > 0 ? 1 : 0;
