// docs/guide/{nestjs,configuration}.md show the code that runs here, and the variables that there are.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Serdes, configurationVariables } from '#libs/millrace';
import type { RecordProducer } from '#libs/millrace';
import { MillraceControl, MillraceHealthIndicator, getProducerToken } from '#libs/nestjs';
import type { RecordedProducer } from '../src/testing/index.ts';
import { MillraceTestingModule, getTestDriver } from '../src/testing/index.ts';
import { silentNestLogger } from './fake-application.ts';
import * as snippets from './guide-nestjs-snippets.ts';

const GUIDE = join(import.meta.dirname, '../../../docs/guide');
const pages = ['nestjs', 'configuration'].map((page) => readFileSync(join(GUIDE, `${page}.md`), 'utf8'));
const source = readFileSync(join(import.meta.dirname, 'guide-nestjs-snippets.ts'), 'utf8')
  .replaceAll("'#libs/millrace'", "'millrace'")
  .replaceAll("'#libs/nestjs'", "'millrace/nestjs'");

let folder: string;
const variables = { MILLRACE_APPLICATION_ID: 'guide', MILLRACE_KAFKA_BROKERS: 'localhost:1' };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guide-nestjs-'));
  Object.assign(process.env, variables);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  for (const name of Object.keys(variables)) delete process.env[name];
});

describe('the guide to NestJS', () => {
  it('shows the code that runs here, and no other', () => {
    const shown = pages.flatMap((page) => [...page.matchAll(/<!-- snippet: (\w+) -->\s*```ts\n(.*?)```/gs)]);
    const written = [...source.matchAll(/^( *)\/\/ #region (\w+)\n(.*?)^ *\/\/ #endregion/gms)];
    expect(Object.fromEntries(shown.map(([, name, code]) => [name, code]))).toEqual(
      Object.fromEntries(
        written.map(([, indent, name, code]) => [
          name,
          code!.replaceAll(new RegExp(`^${indent!}`, 'gm'), ''),
        ]),
      ),
    );
  });

  it('names every variable', () => {
    const missing = configurationVariables().filter(({ variable }) => !pages[1]!.includes(`\`${variable}\``));
    expect(missing.map(({ variable }) => variable)).toEqual([]);
  });

  it('tests a service as it says', async () => {
    const module = await snippets.testedModule();
    module.useLogger(silentNestLogger);
    try {
      expect(await snippets.testRun(module)).toEqual([
        ['ann', 10],
        ['ann', 15],
      ]);
      expect(await module.get(snippets.RevenueController, { strict: false }).of('ann')).toBe(15);
      const driver = getTestDriver(module);
      const text = Serdes.string();
      await driver.inputTopic('payments', text, Serdes.json()).pipe('bob', { amount: 2_000 });
      await driver.inputTopic('carts', text, Serdes.json()).pipe('c', { item: 'pen' });
      await driver.settle();
      const read = (topic: string): unknown => driver.outputTopic(topic, text, Serdes.json()).readKeyValues();
      expect(read('payment-totals')).toEqual([['bob', 2_000]]);
      expect(read('payment-alerts')).toEqual([['desk', { account: 'bob', total: 2_000 }]]);
      expect(read('priced-carts')).toEqual([['c', { item: 'pen', price: 7 }]]);
      await module.get(snippets.OrdersController).place('3');
      const producer = module.get<RecordedProducer>(getProducerToken(), { strict: false });
      await snippets.PRODUCER_TRANSACTION(producer as unknown as RecordProducer);
      expect(producer.records.map(({ topic, key }) => [topic, key])).toEqual([
        ['orders', '3'],
        ['orders', '1'],
        ['audit', null],
      ]);
      const health = module.get(snippets.HealthController);
      expect((await health.live()).status).toBe('ok');
      expect((await health.ready()).details).toMatchObject({
        tasks: { status: 'up' },
        lag: { status: 'up' },
      });
    } finally {
      await module.close();
    }
  });

  it('has two applications in one module', async () => {
    const module = await Test.createTestingModule({ imports: [snippets.TwoApplicationsModule] })
      .setLogger(silentNestLogger)
      .compile();
    const { sales, billing } = module.get(snippets.Switchboard);
    expect([sales.describe().includes('orders'), billing.describe().includes('bills')]).toEqual([true, true]);
    expect(module.get(MillraceHealthIndicator, { strict: false })).toBeDefined();
  });

  it('has a module that is seen, whose test opens no server', async () => {
    const builder = Test.createTestingModule({ imports: [snippets.SeenModule] }).setLogger(silentNestLogger);
    const module = await MillraceTestingModule.override(builder).compile();
    await module.init();
    try {
      expect(module.get(MillraceControl, { strict: false }).url).toBeNull();
    } finally {
      await module.close();
    }
  });

  it('configures as it says', () => {
    const file = join(folder, 'millrace.json');
    const json = /```json\n(.*?)```/s.exec(pages[1]!)![1]!;
    writeFileSync(file, json);
    expect(snippets.configured({ MILLRACE_COMMIT_INTERVAL_MS: '100' }, file)).toMatchObject({
      commitIntervalMs: 100,
      sessionTimeoutMs: 10_000,
      ...(JSON.parse(json) as object),
    });
  });
});
