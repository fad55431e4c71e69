// Specifies `millrace/nestjs/testing` as its users get it: the built package, by its name, typed, in a service with dependency injection.
import { spawnSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
// Inside the repository: the package finds itself by its own name there.
const FOLDER = join(ROOT, '.cache/nestjs-testing-example');

const SERVICE = `
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { Consumed, Materialized, Produced, Serdes } from 'millrace';
import type { QueryableStore, StreamsBuilder } from 'millrace';
import { InjectStore, MillraceModule, Topology } from 'millrace/nestjs';
import type { TopologyClass } from 'millrace/nestjs';

export const text = Serdes.string();
export const amount = Serdes.float64();

@Injectable()
export class Rates {
  readonly rate: number = 2;
}

@Topology()
class Revenue implements TopologyClass {
  constructor(private readonly rates: Rates) {}

  build(builder: StreamsBuilder): void {
    builder
      .stream('orders', Consumed.with(text, amount))
      .mapValues((value) => value * this.rates.rate)
      .groupByKey({ keySerde: text, valueSerde: amount })
      .reduce((sum, value) => sum + value, Materialized.as('revenue'))
      .toStream()
      .to('revenue', Produced.with(text, amount));
  }
}

@Injectable()
export class Accounts {
  constructor(@InjectStore('revenue') private readonly store: QueryableStore<string, number>) {}

  async of(customer: string): Promise<number> {
    return (await this.store.get(customer)) ?? 0;
  }
}

@Module({
  imports: [
    // No broker answers there, and none is asked.
    MillraceModule.forRoot({ applicationId: 'revenue-service', kafka: { brokers: ['127.0.0.1:1'] } }),
    MillraceModule.forFeature({ stores: ['revenue'] }),
  ],
  providers: [Rates, Revenue, Accounts],
})
export class AppModule {}
`;

const TEST = `
import { Test } from '@nestjs/testing';
import { MillraceTestingModule, getTestDriver } from 'millrace/nestjs/testing';
import { Accounts, AppModule, Rates, amount, text } from './service.js';

const module = await MillraceTestingModule.override(Test.createTestingModule({ imports: [AppModule] }))
  .overrideProvider(Rates)
  .useValue({ rate: 3 })
  .setLogger({ log() {}, error() {}, warn() {} })
  .compile();
await module.init();
const driver = getTestDriver(module);
const orders = driver.inputTopic('orders', text, amount);
await orders.pipe('ann', 10);
await driver.crash();
await driver.restart();
await orders.pipe('ann', 0.5);
// @ts-expect-error the topic's values are numbers
void orders.pipe.bind(orders, 'ann', 'ten');
console.log(
  JSON.stringify({
    emitted: driver.outputTopic('revenue', text, amount).readKeyValues(),
    kept: await module.get(Accounts).of('ann'),
  }),
);
await module.close();
`;

function node(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (status !== 0) throw new Error(stdout + stderr);
  return stdout;
}

beforeAll(async () => {
  node('scripts/build.mjs');
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  await writeFile(join(FOLDER, 'service.ts'), SERVICE);
  await writeFile(join(FOLDER, 'service.spec.ts'), TEST);
  await writeFile(
    join(FOLDER, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'es2024',
        lib: ['es2024', 'esnext.disposable'],
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        types: ['node'],
        rootDir: '.',
        outDir: '.',
      },
      files: ['service.ts', 'service.spec.ts'],
    }),
  );
  node('node_modules/typescript/bin/tsc', '-p', FOLDER);
}, 240_000);

afterAll(() => rm(FOLDER, { recursive: true, force: true }));

describe('millrace/nestjs/testing', () => {
  it('runs a typed service with its injected dependencies and stores, without a broker, through a crash', () => {
    expect(JSON.parse(node(join(FOLDER, 'service.spec.js')))).toEqual({
      emitted: [
        ['ann', 30],
        ['ann', 31.5],
      ],
      kept: 31.5,
    });
  }, 60_000);
});
