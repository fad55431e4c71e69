// The thread that sends heartbeats while the loop is blocked. Here the loop is free, since the broker lives in it: what counts its
// turns is stopped instead.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '#libs/core';
import type { Clock, LogFields, Timer } from '#libs/core';
import type { HeartbeatWatchOptions } from '#libs/broker';
import type { KafkaConfig } from '../src/index.ts';
import { HeartbeatThread } from '../src/heartbeat/heartbeat-thread.ts';
import { Reader } from '../src/wire/reader.ts';
import { bodyOf, ScriptedBroker } from './scripted-broker.ts';
import type { ReceivedRequest } from './scripted-broker.ts';

const WATCH: HeartbeatWatchOptions = {
  groupId: 'g',
  calls: [
    {
      api: 'Heartbeat',
      request: { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null },
    },
  ],
  sessionTimeoutMs: 3_000,
  heartbeatIntervalMs: 40,
  maxBlockedMs: 60_000,
};

/** Timers that stand for turns of the loop never fire: the thread takes it for blocked. */
const blockedClock: Clock = {
  ...systemClock,
  schedule: (delayMs, action, background): Timer =>
    background === true && delayMs < 1_000
      ? { cancel: () => undefined }
      : systemClock.schedule(background === true ? 5 : delayMs, action, background),
};

let broker: ScriptedBroker;
const threads: HeartbeatThread[] = [];
const lines: { message: string; fields: LogFields | undefined }[] = [];
const line = (message: string, fields?: LogFields): void => {
  lines.push({ message, fields });
};
const logger = { debug: () => undefined, info: () => undefined, warn: line, error: line };

beforeEach(async () => {
  lines.length = 0;
  broker = await ScriptedBroker.start();
  broker.on('FindCoordinator', (request) =>
    request.reply(
      bodyOf((writer) => {
        writer
          .int32(0)
          .array([1], (nodeId) => {
            writer.string('g').int32(nodeId).string('127.0.0.1').int32(broker.port);
            writer.int16(0).nullableString(null).noTags();
          })
          .noTags();
      }),
    ),
  );
  broker.on('Heartbeat', (request) => request.reply(bodyOf((writer) => writer.int32(0).int16(0).noTags())));
});

afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.close()));
  await broker.stop();
});

function thread(config: Partial<KafkaConfig> = {}, clock: Clock = systemClock, entry?: URL): HeartbeatThread {
  const made = new HeartbeatThread({ brokers: [broker.address], ...config }, { clock, logger }, entry);
  threads.push(made);
  return made;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(10);
}

describe('the heartbeat thread', () => {
  it('tries its way once, and is silent while the loop turns', async () => {
    const { lastContact } = thread().watch({
      ...WATCH,
      sessionTimeoutMs: 60_000,
      heartbeatIntervalMs: 20_000,
    });
    expect(lastContact).toBe(-Infinity);
    await broker.received('Heartbeat');
    await pause(1_500);
    expect(broker.requests.filter(({ api }) => api === 'Heartbeat')).toHaveLength(1);
  });

  it('goes on while the loop is blocked, says when it was last heard on the clock of the loop, and ends with its watch', async () => {
    const before = systemClock.monotonic();
    const watch = thread({}, blockedClock).watch(WATCH);
    await broker.received('Heartbeat', 4);
    await until(() => watch.lastContact > -Infinity);
    expect(watch.lastContact).toBeGreaterThan(before);
    expect(watch.lastContact).toBeLessThanOrEqual(systemClock.monotonic());
    watch.end();
    await pause(200);
    const sent = broker.requests.length;
    await pause(300);
    expect(broker.requests).toHaveLength(sent);
  });

  it('asks the loop for what only a function knows: brokers and tokens', async () => {
    const authenticated: string[] = [];
    broker.on('SaslHandshake', (request: ReceivedRequest) => {
      const name = Buffer.from('OAUTHBEARER');
      const body = Buffer.alloc(8 + name.length);
      body.writeInt32BE(1, 2);
      body.writeInt16BE(name.length, 6);
      name.copy(body, 8);
      request.reply(body);
    });
    broker.on('SaslAuthenticate', (request) => {
      authenticated.push(new Reader(request.body).bytes().toString('utf8'));
      request.reply(
        bodyOf((writer) => writer.int16(0).nullableString(null).bytes(Buffer.alloc(0)).int64(0).noTags()),
      );
    });
    const config: KafkaConfig = {
      brokers: () => [broker.address],
      sasl: { mechanism: 'oauthbearer', oauthBearerProvider: () => Promise.resolve({ value: 'a-token' }) },
    };
    thread(config, blockedClock).watch(WATCH);
    await broker.received('Heartbeat', 2);
    expect(authenticated[0]).toContain('auth=Bearer a-token');
  });

  it('is done without, and that is said once, when it cannot be given the configuration', async () => {
    const watch = thread({ ssl: { checkServerIdentity: () => undefined } }).watch(WATCH);
    thread().watch(WATCH);
    expect(lines).toEqual([
      { message: expect.stringMatching(/^There is no heartbeat thread/), fields: expect.anything() },
    ]);
    watch.end();
    expect(watch.lastContact).toBe(-Infinity);
  });

  it('is started again when it fails, and given up when it fails too often', async () => {
    const broken = new URL('data:text/javascript,throw new Error("broken thread")');
    thread({}, blockedClock, broken).watch(WATCH);
    await until(() => lines.length === 4);
    expect(lines.map(({ message }) => message.slice(0, 28))).toEqual([
      'The heartbeat thread failed ',
      'The heartbeat thread failed ',
      'The heartbeat thread failed ',
      'There is no heartbeat thread',
    ]);
    expect(lines[3]!.fields).toEqual({ problem: expect.stringContaining('broken thread') });
  });

  it('says what keeps it from the brokers, once', async () => {
    broker.on('SaslHandshake', (request) => {
      const body = Buffer.alloc(6);
      body.writeInt16BE(34, 0);
      request.reply(body);
    });
    const sasl = { mechanism: 'plain', username: 'ada', password: 'secret-of-ada' } as const;
    thread({ sasl }, blockedClock).watch(WATCH);
    await until(() =>
      lines.some(({ message }) => message === 'Heartbeats cannot be sent beside the event loop'),
    );
    await pause(300);
    expect(lines.filter(({ message }) => message.startsWith('Heartbeats cannot be sent'))).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toContain('secret-of-ada');
  });
});
