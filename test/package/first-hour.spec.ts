// Specifies a user's first hour: the tarball in a fresh Nest project, of either module system; the README's example pasted, compiled by that
// project's own compiler, run, killed, run again; a test of it; and what is said where something optional is missing.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTopic } from '../support/bad-input.ts';
import { describeWithBroker } from '../support/broker.ts';
import { startNode } from '../support/child-process.ts';
import type { RunningProcess } from '../support/child-process.ts';
import { freshProjects, without } from '../support/fresh-project.ts';
import type { FreshProject, FreshProjects } from '../support/fresh-project.ts';

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLE = /```ts\n(.*?)```/s.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))![1]!;
const KINDS = ['esm', 'cjs'] as const;

let projects: FreshProjects;

beforeAll(async () => {
  projects = await freshProjects();
  for (const kind of KINDS) {
    const project = projects[kind];
    await project.write('src/main.ts', EXAMPLE);
    await project.write('src/subpaths.ts', SUBPATHS);
    await project.write('src/orders.topology.ts', templateOfGuide());
    await project.write('src/revenue.check.ts', CHECK);
    project.npm('run', 'build');
  }
}, 300_000);

afterAll(() => projects?.remove());

/** Everything that can be imported, with a type of each. */
const SUBPATHS = `
import { Serdes, StreamsBuilder, type Serde } from 'millrace';
import { MillraceModule, type MillraceModuleOptions } from 'millrace/nestjs';
import { MillraceTestingModule, type MillraceTestingOptions } from 'millrace/nestjs/testing';
import { TopologyTestDriver, type TestInputTopic } from 'millrace/testing';
import { createControlServer, type ControlServer } from 'millrace/control';
import type { RegisteredMetrics } from 'millrace/telemetry';
import type {} from 'millrace/testing/jest';

export const serde: Serde<string> = Serdes.string();
export const options: MillraceModuleOptions = { applicationId: 'a', kafka: { brokers: ['b:1'] }, control: { port: 1 } };
// @ts-expect-error a number is no text
export const wrong: Serde<number> = Serdes.string();
// @ts-expect-error there is no such option
export const mistyped: MillraceModuleOptions = { applicationId: 'a', kafka: { brokers: ['b:1'] }, comitIntervalMs: 1 };
export type Used = MillraceTestingOptions | TestInputTopic<string, string> | ControlServer | RegisteredMetrics;
export const used = [StreamsBuilder, MillraceModule, MillraceTestingModule, TopologyTestDriver, createControlServer];
`;

/** A test of the example's topology, as its user writes it; compiled with the project and run by the project's Jest. */
const CHECK = `
import 'reflect-metadata';
import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Serdes } from 'millrace';
import { MillraceModule } from 'millrace/nestjs';
import { MillraceTestingModule, getTestDriver } from 'millrace/nestjs/testing';
import 'millrace/testing/jest';
import { OrdersTopology } from './orders.topology.js';

it('lets valid orders through', async () => {
  const text = Serdes.string();
  const json = Serdes.json<{ amount: number }>();
  const builder = Test.createTestingModule({
    imports: [MillraceModule.forRoot({ applicationId: 'shop', kafka: { brokers: ['nowhere:1'] } })],
    providers: [OrdersTopology],
  });
  const module = await (await MillraceTestingModule.override(builder).compile()).init();
  const driver = getTestDriver(module);
  const orders = driver.inputTopic('orders', text, json);
  await orders.pipe('1', { amount: 10 });
  await orders.pipe('2', { amount: 0 });
  expect(driver.outputTopic('valid-orders', text, json)).toHaveEmitted([['1', { amount: 10 }]]);
  await module.close();
});
`;

/** Opens the control server of a module, on a simulated cluster, and asks for its page and all that the page names. */
const DASHBOARD = `
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { Consumed, Serdes, SimulatedKafka } from 'millrace';
import { MillraceControl, MillraceModule, Topology } from 'millrace/nestjs';

class Copying {
  build(builder) {
    builder.stream('in', Consumed.with(Serdes.string(), Serdes.string())).to('out');
  }
}
Topology()(Copying);
const kafka = new SimulatedKafka();
for (const topic of ['in', 'out']) kafka.createTopic(topic, 1);
const host = kafka.host('one');
class AppModule {}
Module({
  imports: [
    MillraceModule.forRoot({
      applicationId: 'a', kafka: host.kafka, clock: host.clock, instanceId: 'one', state: 'memory', control: { port: 0 },
    }),
  ],
  providers: [Copying],
})(AppModule);
const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const { url } = app.get(MillraceControl, { strict: false });
const ask = async (path) => {
  const answer = await fetch(new URL(path, url));
  console.log(answer.status, answer.headers.get('content-type'), path);
  return answer.text();
};
const page = await ask('/');
for (const [, path] of page.matchAll(/(?:src|href)="([^"#]+)"/g)) if (!path.startsWith('data:')) await ask(path);
await app.close();
`;

/** What the guide has in the place of a schematic. */
function templateOfGuide(): string {
  const guide = readFileSync(join(ROOT, 'docs/guide/nestjs.md'), 'utf8');
  return /## A template\n.*?```ts\n(.*?)```/s.exec(guide)![1]!;
}

describe('the example of the README', () => {
  it('has about thirty lines', () => {
    expect(EXAMPLE.trimEnd().split('\n').length).toBeLessThanOrEqual(32);
  });
});

describe('the tarball', () => {
  it('has what is published and nothing else', () => {
    const others = projects.packed.filter((path) => !path.startsWith('dist/libs/'));
    expect(others.sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
    const kinds = new Set(
      projects.packed.map((path) => path.replace(/^dist\/libs\/.*?\.(?=\w+(\.map)?$)/, '')),
    );
    expect(projects.packed.filter((path) => /\/test\/|\.spec\./.test(path))).toEqual([]);
    expect(kinds).toContain('js');
  });

  it('brings none of the packages that only we need', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    const ours = Object.keys(devDependencies).filter((name) =>
      /kafkajs$|testcontainers|playwright|fast-check/.test(name),
    );
    expect(ours.length).toBeGreaterThan(3);
    const found = ours.filter(
      (name) => projects.esm.tryNode('-e', `require.resolve('${name}')`).status === 0,
    );
    expect(found).toEqual([]);
  });
});

describe.each(KINDS)('a fresh Nest project (%s)', (kind) => {
  const project = (): FreshProject => projects[kind];
  const load = (subpath: string): string =>
    kind === 'esm'
      ? `import * as all from '${subpath}'; console.log(Object.keys(all).length)`
      : `console.log(Object.keys(require('${subpath}')).length)`;
  const inputType = kind === 'esm' ? 'module' : 'commonjs';

  it('runs a test of its topology with Jest', async () => {
    await project().write(
      'jest.compiled.json',
      JSON.stringify({ rootDir: 'dist', testMatch: ['**/*.check.js'], transform: {} }),
    );
    const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
    const { status, output } = project().tryNode(...jest, '--config', 'jest.compiled.json');
    expect(output).toContain('1 passed');
    expect(status).toBe(0);
  }, 60_000);

  it.each(['millrace', 'millrace/nestjs', 'millrace/nestjs/testing', 'millrace/testing', 'millrace/control'])(
    'can import %s',
    (subpath) => {
      const count = project().node('--no-warnings', `--input-type=${inputType}`, '-e', load(subpath));
      expect(Number(count)).toBeGreaterThan(0);
    },
  );

  it('is told which package is missing by the part that needs it, and by no other', () => {
    const { status, output } = project().tryNode(
      `--input-type=${inputType}`,
      '-e',
      load('millrace/telemetry'),
    );
    expect(status).not.toBe(0);
    expect(output).toContain("Cannot find package '@opentelemetry/api'");
  });
});

describe('what is for operators', () => {
  it('has the command line', () => {
    const command = join(projects.esm.folder, 'node_modules/.bin/millrace');
    const help = projects.esm.node(command, '--help');
    for (const name of ['describe', 'lag', 'reset', 'dlq', 'verify'])
      expect(help).toMatch(new RegExp(`^ +${name}\\b`, 'm'));
  });

  it('has the dashboard with all its files', async () => {
    await projects.esm.write('src/dashboard.mjs', DASHBOARD);
    const lines = projects.esm.node('--no-warnings', 'src/dashboard.mjs').trim().split('\n');
    expect(lines[0]).toMatch(/^200 text\/html/);
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) expect(line).toMatch(/^200 (text\/(html|css|javascript)|image\/)/);
  }, 30_000);
});

describe('the control server of a module', () => {
  it('lets the process end when its application has processed all there is', async () => {
    const bounded = DASHBOARD.replace('control: {', "until: 'latest', control: {").replace(
      'await app.close();',
      '',
    );
    await projects.esm.write('src/bounded.mjs', bounded);
    const { status, output } = projects.esm.tryNode('--no-warnings', 'src/bounded.mjs');
    expect(output).toMatch(/^200 text\/html/);
    expect(status).toBe(0);
  }, 60_000);
});

describe('without packages that are optional', () => {
  it('works without Nest, and says so where Nest is asked for', async () => {
    const bare = await without(
      projects.esm,
      ['@nestjs', 'rxjs', 'reflect-metadata', 'jest', '@jest'],
      join(projects.esm.folder, '../bare'),
    );
    const load = (subpath: string): [string, string, string] => [
      '--input-type=module',
      '-e',
      `await import('${subpath}'); console.log('loaded')`,
    ];
    for (const subpath of ['millrace', 'millrace/testing', 'millrace/control'])
      expect(bare.node(...load(subpath))).toContain('loaded');
    expect(bare.tryNode(...load('millrace/nestjs')).output).toMatch(
      /Cannot find package '(@nestjs\/\w+|rxjs)'/,
    );
    expect(bare.tryNode(...load('millrace/testing/jest')).output).toContain(
      "Cannot find package '@jest/globals'",
    );
  }, 60_000);

  it('says what metrics of the module need', async () => {
    await projects.esm.write(
      'src/metrics.mjs',
      `import 'reflect-metadata';
       import { NestFactory } from '@nestjs/core';
       import { MillraceModule } from 'millrace/nestjs';
       const options = { applicationId: 'a', kafka: { brokers: ['localhost:1'] }, metrics: true };
       await NestFactory.createApplicationContext(MillraceModule.forRoot(options), { abortOnError: false, logger: false });`,
    );
    const { status, output } = projects.esm.tryNode('src/metrics.mjs');
    expect(status).not.toBe(0);
    expect(output).toContain('npm install @opentelemetry/api');
  });
});

describeWithBroker(
  'the example of the README in a fresh Nest project',
  (broker) => {
    it('keeps the revenue of each customer through a kill −9, and in a project of the other kind', async () => {
      const brokers = broker().bootstrapServers;
      const client = new Kafka({ clientId: 'front', brokers: [...brokers], logLevel: logLevel.NOTHING });
      for (const topic of ['orders', 'revenue-by-customer']) await createTopic(broker(), topic, 2);
      const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
      await producer.connect();
      const publish = async (from: number, to: number): Promise<void> => {
        for (let next = from; next < to; next += 100) {
          const messages = Array.from({ length: 100 }, (_, i) => orderOf(next + i));
          await producer.send({ topic: 'orders', messages });
        }
      };
      const revenue = await follow(client, 'revenue-by-customer');
      const totals = (orders: number): Promise<void> =>
        revenue.until((newest) => CUSTOMERS.every((name, i) => newest.get(name) === totalOf(i, orders)));
      const run = (kind: 'esm' | 'cjs'): RunningProcess => {
        const { folder } = projects[kind];
        return startNode([join(folder, 'dist/main.js')], { KAFKA_BROKERS: brokers.join(',') }, folder);
      };
      let service = run('esm');
      try {
        await publish(0, 300);
        await service.until(/to RUNNING/);
        await totals(300);
        // In the middle of its work.
        const publishing = publish(300, 6_000);
        await revenue.until((_newest, count) => count > 600);
        expect(await service.end('SIGKILL')).toBe('SIGKILL');
        expect(revenue.count()).toBeLessThan(6_000);
        await publishing;

        service = run('esm');
        await totals(6_000);
        // Nest ends the process by the signal itself, after its shutdown hooks.
        expect(await service.end('SIGTERM')).toBe('SIGTERM');
        expect(service.output()).toContain('to NOT_RUNNING');

        // Without the state of the other: from the changelog.
        service = run('cjs');
        await publish(6_000, 6_300);
        await totals(6_300);
        // Every order has given one update, and none another one.
        expect(revenue.count()).toBe(6_300);
      } finally {
        service.child.kill('SIGTERM');
        await service.ended();
        await producer.disconnect();
        await revenue.stop();
      }
    }, 240_000);
  },
  // The example's names are its own: so is this broker.
  { properties: { 'log.cleaner.enable': false, 'offsets.topic.num.partitions': 4 } },
);

const orderOf = (order: number): { key: string; value: string } => ({
  key: String(order),
  value: JSON.stringify({ customer: CUSTOMERS[order % 3], amount: order }),
});

const CUSTOMERS = ['ann', 'bob', 'eve'] as const;

const totalOf = (customer: number, orders: number): number => {
  let sum = 0;
  for (let order = customer; order < orders; order += 3) sum += order;
  return sum;
};

interface Followed {
  /** Resolves once the newest value of each key, and how many values there were, are as asked. */
  until(condition: (newest: ReadonlyMap<string, number>, count: number) => boolean): Promise<void>;
  count(): number;
  stop(): Promise<void>;
}

/** Committed records of a topic, by a consumer that knows nothing of Millrace. */
async function follow(client: Kafka, topic: string): Promise<Followed> {
  const consumer = client.consumer({ groupId: `first-hour-${Math.random()}`, readUncommitted: false });
  const newest = new Map<string, number>();
  let count = 0;
  let waiting: (() => void)[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      count++;
      newest.set(String(message.key), Number(message.value));
      for (const wake of waiting.splice(0)) wake();
    },
  });
  return {
    async until(condition) {
      while (!condition(newest, count)) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    count: () => count,
    stop: async () => {
      waiting = [];
      await consumer.disconnect();
    },
  };
}
