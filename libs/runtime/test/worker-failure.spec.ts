// What becomes of a worker that died.
import { describe, expect, it } from '@jest/globals';
import { FatalError, systemClock } from '#libs/core';
import type { Clock, ErrorCode, LogFields, MillraceError } from '#libs/core';
import { Serdes } from '#libs/serde';
import { StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { resolveRuntimeConfig } from '../src/index.ts';
import type { WorkerFailure } from '../src/index.ts';
import { WorkerFailurePolicy } from '../src/worker-failure.ts';
import type { WorkerFailureConfig } from '../src/worker-failure.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { createRuntime } from './support.ts';

const failure = (code: ErrorCode = 'MILLRACE_PROCESSING_FAILED'): MillraceError =>
  new FatalError({ code, message: 'The worker failed.' });

function policyOf(config: Partial<WorkerFailureConfig>) {
  let now = 0;
  const handlerErrors: unknown[] = [];
  const policy = new WorkerFailurePolicy(
    { onWorkerFailure: 'replace', workerReplacementsMax: 3, workerReplacementWindowMs: 60_000, ...config },
    { monotonic: () => now } as Clock,
    (error) => handlerErrors.push(error),
  );
  return { policy, handlerErrors, pass: (ms: number) => (now += ms) };
}

describe('the policy for a worker that died', () => {
  it('replaces it later each time, and not beyond the limit of the window', () => {
    const { policy, pass } = policyOf({});
    const verdicts = [1, 2, 3, 4].map(() => policy.decide(failure()));
    expect(verdicts.map(({ response, pauseMs }) => [response, pauseMs])).toEqual([
      ['replace', 1_000],
      ['replace', 2_000],
      ['replace', 4_000],
      ['stopClient', 0],
    ]);
    expect(verdicts[3]!.refusal).toMatch(/3 were replaced within 60000 ms/);
    pass(60_000);
    expect(policy.decide(failure())).toMatchObject({ response: 'replace', pauseMs: 1_000 });
  });

  it.each([
    ['MILLRACE_PRODUCER_FENCED', /another process/],
    ['MILLRACE_INSTANCE_FENCED', /another process/],
    ['MILLRACE_PARTITIONS_MISMATCH', /other partitions/],
  ] as const)('does not replace one that ended with %s: the next would do harm', (code, why) => {
    expect(policyOf({}).policy.decide(failure(code))).toMatchObject({
      response: 'stopClient',
      refusal: expect.stringMatching(why),
    });
  });

  it('asks a handler, with the error and how many were replaced', () => {
    const asked: WorkerFailure[] = [];
    const { policy } = policyOf({
      onWorkerFailure: (given) => {
        asked.push(given);
        return given.replacements === 0 ? 'replace' : 'stopProcess';
      },
    });
    expect([policy.decide(failure()).response, policy.decide(failure()).response]).toEqual([
      'replace',
      'stopProcess',
    ]);
    expect(asked.map(({ error, replacements }) => [error.code, replacements])).toEqual([
      ['MILLRACE_PROCESSING_FAILED', 0],
      ['MILLRACE_PROCESSING_FAILED', 1],
    ]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['answers nonsense', () => 'restart' as 'replace'],
  ])('stops the client when the handler %s', (_what, onWorkerFailure) => {
    const { policy, handlerErrors } = policyOf({ onWorkerFailure });
    expect(policy.decide(failure()).response).toBe('stopClient');
    expect(handlerErrors).toHaveLength(1);
  });

  it('is checked with the rest of the configuration', () => {
    const resolve = () =>
      resolveRuntimeConfig({
        applicationId: 'app',
        instanceId: 'one',
        onWorkerFailure: 'restart' as 'replace',
        workerReplacementsMax: 0,
        maxBlockedMs: -1,
      });
    expect(resolve).toThrow(/onWorkerFailure must be replace, stopClient, stopProcess.*"restart"/);
    expect(resolve).toThrow(/workerReplacementsMax must be a positive number/);
    expect(resolve).toThrow(/maxBlockedMs must be 0 or a positive number/);
  });
});

/** Fails at the records that `failing` says, each time they come. */
function topologyOf(failing: (value: number) => boolean): Topology {
  const [keySerde, valueSerde] = [Serdes.string(), Serdes.json<number>()];
  const builder = new StreamsBuilder();
  builder
    .stream<string, number>('in', { keySerde, valueSerde })
    .mapValues((value) => {
      if (failing(value)) throw new Error(`no ${value} today`);
      return value;
    })
    .to('out', { keySerde, valueSerde });
  return builder.build();
}

function brokerWith(count: number): InProcessBroker {
  const broker = new InProcessBroker();
  broker.createTopic('in', 1);
  broker.createTopic('out', 1);
  const records = Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: String(i), timestamp: i }));
  broker.produce('in', 0, records);
  return broker;
}

/** The system's clock, its pauses of a second and more cut short. */
const impatient: Clock = {
  ...systemClock,
  schedule: (delayMs, action, background) =>
    systemClock.schedule(delayMs >= 1_000 ? 5 : delayMs, action, background),
};

describe('a worker that died', () => {
  it('is replaced by one that goes on from the committed offsets; the lifecycle, the log and the figures say so', async () => {
    const broker = brokerWith(10);
    let failures = 0;
    const lines: { message: string; fields: LogFields | undefined }[] = [];
    const logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (message: string, fields?: LogFields) => lines.push({ message, fields }),
    };
    const runtime = createRuntime(
      broker,
      topologyOf((value) => value === 7 && failures++ < 2),
      { onWorkerFailure: 'replace', clock: impatient, logger },
    );
    const states: string[] = [];
    runtime.lifecycle.onChange((state) => states.push(state));
    await runtime.start();
    await runtime.whenEnded();
    expect(broker.records('out', 0).map(({ value }) => Number(value))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
    expect(states.at(-1)).toBe('NOT_RUNNING');
    expect(states).not.toContain('PENDING_ERROR');
    expect(runtime.figures).toMatchObject({
      workerReplacements: 2,
      lastWorkerFailure: { code: 'MILLRACE_PROCESSING_FAILED' },
      processedRecords: expect.any(Number),
    });
    expect(runtime.figures!.processedRecords).toBeGreaterThanOrEqual(10);
    expect(runtime.figures!.sinceTurnMs).toBeGreaterThanOrEqual(0);
    expect(runtime.figures!.sinceCommitMs).toBeGreaterThanOrEqual(0);
    expect(lines.filter(({ message }) => message.startsWith('The worker died and is replaced'))).toHaveLength(
      2,
    );
  });

  it('of a record that fails every time is replaced to the limit, and then the client stops with its error', async () => {
    const runtime = createRuntime(
      brokerWith(10),
      topologyOf((value) => value === 7),
      { onWorkerFailure: 'replace', workerReplacementsMax: 3, clock: impatient },
    );
    await runtime.start();
    await expect(runtime.whenEnded()).rejects.toMatchObject({ code: 'MILLRACE_PROCESSING_FAILED' });
    expect([runtime.lifecycle.state, runtime.figures!.workerReplacements, runtime.stopsProcess]).toEqual([
      'ERROR',
      3,
      false,
    ]);
  });

  it.each([
    ['stopClient', false],
    ['stopProcess', true],
  ] as const)('is not replaced under the policy %s', async (onWorkerFailure, stopsProcess) => {
    const runtime = createRuntime(
      brokerWith(10),
      topologyOf((value) => value === 7),
      { onWorkerFailure },
    );
    await runtime.start();
    await expect(runtime.whenEnded()).rejects.toMatchObject({ code: 'MILLRACE_PROCESSING_FAILED' });
    expect([runtime.lifecycle.state, runtime.figures!.workerReplacements, runtime.stopsProcess]).toEqual([
      'ERROR',
      0,
      stopsProcess,
    ]);
  });

  it('ends with the application when that is stopped before its replacement starts', async () => {
    const runtime = createRuntime(
      brokerWith(10),
      topologyOf((value) => value === 7),
      { onWorkerFailure: 'replace', until: 'stopped' },
    );
    await runtime.start();
    while (runtime.figures?.workerReplacements !== 1) await new Promise((resolve) => setTimeout(resolve, 5));
    await runtime.stop();
    expect([runtime.lifecycle.state, runtime.error]).toEqual(['NOT_RUNNING', null]);
  });
});
