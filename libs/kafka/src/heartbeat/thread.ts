// Owns the inside of the heartbeat thread: connections of its own, and the stand-in of libs/broker on them. The event loop it serves
// may be blocked at any moment, so it waits for nothing of it that it cannot do without.
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { HeartbeatStandIn } from '#libs/broker';
import type { HeartbeatWatchOptions } from '#libs/broker';
import { systemClock, within } from '#libs/core';
import type { LogFields, Logger } from '#libs/core';
import type { KafkaConfig, OauthBearerToken } from '../config.ts';
import { createKafkaRpc } from '../kafka-rpc.ts';
import { sharedTimeOffset } from './messages.ts';
import type { FromThread, Question, ThreadConfig, ThreadData, ToThread } from './messages.ts';

/** How long the loop is given to answer while an older answer is there to be used. */
const ANSWER_WAIT_MS = 500;
const STDERR = 2;

if (isMainThread || parentPort === null)
  throw new Error('This file is the heartbeat thread of a Millrace client.');
const port = parentPort;

const known = new Map<Question, unknown>();
const waiting = new Map<Question, ((error: string | null) => void)[]>();

function tell(message: FromThread): void {
  port.postMessage(message);
}

/** The loop's answer; its last one when it is blocked or fails. */
async function ask(question: Question): Promise<unknown> {
  const answered = new Promise<string | null>((resolve) => {
    const others = waiting.get(question);
    if (others !== undefined) others.push(resolve);
    else {
      waiting.set(question, [resolve]);
      tell({ kind: 'ask', question });
    }
  });
  const error = known.has(question) ? await within(systemClock, ANSWER_WAIT_MS, answered) : await answered;
  if (!known.has(question))
    throw new Error(error ?? `the event loop did not answer what it has for ${question}`);
  return known.get(question);
}

function configOf({ kafka, brokers, sasl }: ThreadConfig): KafkaConfig {
  return {
    ...kafka,
    brokers: brokers ?? (() => ask('brokers') as Promise<readonly string[]>),
    ...(sasl === null
      ? {}
      : {
          sasl:
            sasl === 'ask'
              ? {
                  mechanism: 'oauthbearer',
                  oauthBearerProvider: () => ask('oauthBearerToken') as Promise<OauthBearerToken>,
                }
              : sasl,
        }),
  };
}

function lineTo(level: keyof Logger): (message: string, fields?: LogFields) => void {
  return (message, fields) => tell({ kind: 'log', level, message, fields: fields && cloneable(fields) });
}

/** Fields are JSON by convention; what is not must not end the thread. */
function cloneable(fields: LogFields): LogFields {
  return JSON.parse(JSON.stringify(fields)) as LogFields;
}

/** The loop's logger cannot be reached while the loop is blocked, perhaps for ever: this one line goes out without it. */
function sayGivenUp({ groupId, maxBlockedMs }: HeartbeatWatchOptions): void {
  const line =
    `Millrace: the event loop has been blocked for longer than maxBlockedMs (${maxBlockedMs} ms). No more heartbeats are sent for ` +
    `the member of group "${groupId}"; its partitions go to other members.\n`;
  try {
    writeSync(STDERR, line);
  } catch {
    // A closed stderr is no reason to end the thread.
  }
}

const { config, turns } = workerData as ThreadData;
const turned = new Int32Array(turns);
const timeOffset = sharedTimeOffset(systemClock);
const logger: Logger = {
  debug: lineTo('debug'),
  info: lineTo('info'),
  warn: lineTo('warn'),
  error: lineTo('error'),
};
const REQUEST_TIMEOUT_MS_DEFAULT = 30_000;
const standIn = new HeartbeatStandIn({
  rpc: createKafkaRpc(configOf(config), { clock: systemClock, logger }),
  clock: systemClock,
  logger,
  requestTimeoutMs: config.kafka.requestTimeout ?? REQUEST_TIMEOUT_MS_DEFAULT,
});
const watches = new Map<number, { end(): void }>();

port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'watch': {
      const { id, options } = message;
      const contactedAt = new BigInt64Array(message.contact);
      watches.set(
        id,
        standIn.watch(options, {
          turns: () => Atomics.load(turned, 0),
          onContact: (sentAt) =>
            Atomics.store(contactedAt, 0, BigInt(Math.round((sentAt + timeOffset) * 1_000))),
          onResumed: (blockedMs, heartbeats) =>
            tell({ kind: 'resumed', groupId: options.groupId, blockedMs, heartbeats }),
          onGivenUp: (blockedMs) => {
            sayGivenUp(options);
            tell({ kind: 'given-up', groupId: options.groupId, blockedMs });
          },
        }),
      );
      return;
    }
    case 'end':
      watches.get(message.id)?.end();
      watches.delete(message.id);
      return;
    case 'answer': {
      const { question, value, error } = message;
      if (error === null) known.set(question, value);
      const resolvers = waiting.get(question) ?? [];
      waiting.delete(question);
      for (const resolve of resolvers) resolve(error);
    }
  }
});
