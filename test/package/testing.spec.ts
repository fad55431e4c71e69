// Specifies `millrace/testing` as its users get it: the built package, by its name, typed, with Jest and without.
import { spawnSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
// Inside the repository: the package finds itself by its own name there.
const FOLDER = join(ROOT, '.cache/testing-example');

const EXAMPLE = `
import { Consumed, Materialized, Produced, Serdes, StreamsBuilder } from 'millrace';
import { TopologyTestDriver } from 'millrace/testing';

const builder = new StreamsBuilder();
builder
  .stream('orders', Consumed.with(Serdes.string(), Serdes.float64()))
  .groupByKey()
  .reduce((sum, amount) => sum + amount, Materialized.as('revenue'))
  .toStream()
  .to('revenue', Produced.with(Serdes.string(), Serdes.float64()));
const driver = await TopologyTestDriver.start(builder);
const orders = driver.inputTopic('orders', Serdes.string(), Serdes.float64());
await orders.pipe('ann', 10);
await driver.crash();
await driver.restart();
await orders.pipe('ann', 2.5);
console.log(JSON.stringify(driver.outputTopic('revenue', Serdes.string(), Serdes.float64()).readKeyValues()));
// @ts-expect-error the topic's values are numbers
void orders.pipe.bind(orders, 'ann', 'ten');
await driver.close();
`;

const JEST_EXAMPLE = `
import { expect, it } from '@jest/globals';
import { Consumed, Produced, Serdes, StreamsBuilder } from 'millrace';
import { TopologyTestDriver } from 'millrace/testing';
import 'millrace/testing/jest';

it('is a test', async () => {
  const builder = new StreamsBuilder();
  const text = Serdes.string();
  builder.stream('in', Consumed.with(text, text)).to('out', Produced.with(text, text));
  await using driver = await TopologyTestDriver.start(builder);
  await driver.inputTopic('in', text, text).pipe('a', 'b');
  expect(driver.outputTopic('out', text, text)).toHaveEmitted([['a', 'b']]);
  // @ts-expect-error the topic's values are texts
  expect(driver.outputTopic('out', text, text)).not.toHaveEmitted([['a', 1]]);
});
`;

function node(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout + stderr);
  return stdout + stderr;
}

beforeAll(async () => {
  node('scripts/build.mjs');
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  await writeFile(join(FOLDER, 'example.ts'), EXAMPLE);
  await writeFile(join(FOLDER, 'example.spec.ts'), JEST_EXAMPLE);
  await writeFile(
    join(FOLDER, 'jest.config.json'),
    JSON.stringify({ rootDir: FOLDER, testMatch: ['**/*.spec.js'], transform: {} }),
  );
  await writeFile(
    join(FOLDER, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'es2024',
        lib: ['es2024', 'esnext.disposable'],
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        types: ['node'],
        rootDir: '.',
        outDir: '.',
      },
      files: ['example.ts', 'example.spec.ts'],
    }),
  );
  node('node_modules/typescript/bin/tsc', '-p', FOLDER);
}, 240_000);

afterAll(() => rm(FOLDER, { recursive: true, force: true }));

describe('millrace/testing', () => {
  it('runs a typed topology without Jest', () => {
    expect(JSON.parse(node(join(FOLDER, 'example.js')))).toEqual([
      ['ann', 10],
      ['ann', 12.5],
    ]);
  }, 30_000);

  it('brings matchers to Jest', () => {
    const jest = [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
    ];
    expect(node(...jest, '--config', join(FOLDER, 'jest.config.json'))).toContain('1 passed');
  }, 60_000);
});
