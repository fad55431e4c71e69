// Specifies that a static member (`groupInstanceId`) is its own successor wherever it starts again, and that two processes of one name are
// told apart.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Consumed,
  Materialized,
  Produced,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  readTopic,
  silentLogger,
} from '../src/index.ts';
import type { StreamsApplicationOptions } from '../src/index.ts';

const text = Serdes.string();
const number = Serdes.json<number>();
const KEYS = 8;

function counts(): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream('clicks', Consumed.with(text, number))
    .groupByKey()
    .reduce((sum, value) => sum + value, Materialized.as('counts'))
    .toStream()
    .to('counts', Produced.with(text, number));
  return builder;
}

let folder: string;
let kafka: SimulatedKafka;
let published: number;
const applications: StreamsApplication[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-static-'));
  kafka = new SimulatedKafka();
  kafka.createTopic('clicks', 2);
  kafka.createTopic('counts', 2);
  published = 0;
});

afterEach(async () => {
  await Promise.all(applications.splice(0).map((application) => application.stop()));
  await rm(folder, { recursive: true, force: true });
});

function application(options: Partial<StreamsApplicationOptions>): StreamsApplication {
  const made = new StreamsApplication({
    applicationId: 'clicks',
    kafka,
    topology: counts,
    groupInstanceId: 'pod-0',
    stateDir: folder,
    logger: silentLogger,
    ...options,
  });
  applications.push(made);
  return made;
}

function click(times: number): void {
  const records = Array.from({ length: times }, () => ({ key: `key-${published++ % KEYS}`, value: '1' }));
  kafka.publish('clicks', records);
}

/** Resolves once all that was published is committed. */
async function counted(): Promise<void> {
  while (kafka.lag('clicks', ['clicks']) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Each key's updates go up by one, without a gap and without one twice. */
async function expectCountedOnce(): Promise<void> {
  const newest = new Map<string, number>();
  for await (const { key, value } of readTopic({
    kafka,
    topic: 'counts',
    keySerde: text,
    valueSerde: number,
  })) {
    expect(value).toBe((newest.get(key!) ?? 0) + 1);
    newest.set(key!, value!);
  }
  expect([...newest.values()].reduce((sum, count) => sum + count, 0)).toBe(published);
}

describe('a static member', () => {
  it('goes by its name, so that it ends what it left open wherever it starts again', async () => {
    const host = kafka.host('first');
    const first = application({ kafka: host.kafka, clock: host.clock, stateDir: join(folder, 'a') });
    await first.start();
    await first.whenRunning();
    click(400);
    await new Promise((resolve) => setTimeout(resolve, 20));
    host.kill();
    applications.splice(0);
    // Another disk, within the session (45 s) and the transaction's time (60 s).
    const second = application({ stateDir: join(folder, 'b') });
    await second.start();
    await second.whenRunning();
    click(400);
    await counted();
    expect([first.instanceId, second.instanceId]).toEqual(['pod-0', 'pod-0']);
    await expectCountedOnce();
  });

  it('keeps to an instanceId that is given beside its name', async () => {
    const named = application({ instanceId: 'one' });
    await named.start();
    expect(named.instanceId).toBe('one');
  });
});

describe('two processes of one static member', () => {
  it('are refused in one state folder', async () => {
    const first = application({});
    await first.start();
    await first.whenRunning();
    await expect(application({}).start()).rejects.toMatchObject({ code: 'MILLRACE_STATE_LOCKED' });
    click(40);
    await counted();
    await expectCountedOnce();
  });

  it.each([
    ['classic', 'MILLRACE_INSTANCE_FENCED'],
    ['streams', 'MILLRACE_PRODUCER_FENCED'],
  ] as const)('on two machines leave one that works, in %s groups', async (groupProtocol, code) => {
    const copies = ['a', 'b'].map((name) => application({ groupProtocol, stateDir: join(folder, name) }));
    for (const copy of copies) {
      await copy.start();
      click(400);
      await copy.whenRunning();
    }
    const ended = await Promise.race(
      copies.map((copy, index) =>
        copy.whenEnded().then(
          () => null,
          (error: unknown) => ({ index, code: (error as { code?: unknown }).code }),
        ),
      ),
    );
    expect(ended).toMatchObject({ code });
    click(400);
    await counted();
    expect(copies[1 - ended!.index]!.state).toBe('RUNNING');
    await expectCountedOnce();
  });
});
