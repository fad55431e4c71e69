// A worker that met a record which takes long keeps no transaction open over the next one.
import { expect, it } from '@jest/globals';
import type { BrokerClient, TransactionalWriter } from '#libs/broker';
import { silentLogger, systemClock } from '#libs/core';
import type { Clock } from '#libs/core';
import { Serdes } from '#libs/serde';
import { createMemoryStateBackend } from '#libs/state';
import { StreamsBuilder, checkPartitions } from '#libs/topology';
import { StreamsRuntime, resolveRuntimeConfig } from '../src/index.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';

const RECORDS = 40;
const TRANSACTION_TIMEOUT_MS = 10_000;
const COMMIT_MS = 5;

it('keeps no transaction open over a record once one has taken long', async () => {
  const broker = new InProcessBroker();
  // Two tasks: while the commit of one is on its way, the other has a record to process.
  for (const topic of ['in', 'out']) broker.createTopic(topic, 2);
  for (let i = 0; i < RECORDS; i++) {
    broker.produce('in', i % 2, [{ key: `k${i}`, value: `v${i}`, timestamp: i }]);
  }
  let passedMs = 0;
  const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + passedMs };
  let isOpen = false;
  const client = watched(broker.client(), (open) => (isOpen = open));
  const openAtRecord: boolean[] = [];
  const text = Serdes.string();
  const builder = new StreamsBuilder();
  builder
    .stream<string, string>('in', { keySerde: text, valueSerde: text })
    .mapValues((value) => {
      openAtRecord.push(isOpen);
      // As if it had computed for so long.
      passedMs += TRANSACTION_TIMEOUT_MS / 2;
      return value;
    })
    .to('out', { keySerde: text, valueSerde: text });
  const runtime = new StreamsRuntime({
    topology: builder.build(),
    config: resolveRuntimeConfig({
      applicationId: 'app',
      instanceId: 'one',
      until: 'latest',
      commitIntervalMs: 1,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    }),
    client,
    backend: createMemoryStateBackend(),
    checkPartitions: (built, counts) => checkPartitions(built, counts).repartitionCounts,
    clock,
    logger: silentLogger,
  });
  await runtime.start();
  await runtime.whenEnded();
  expect(openAtRecord.slice(1)).toEqual(Array(RECORDS - 1).fill(false));
  const written = [0, 1].flatMap((partition) => broker.records('out', partition));
  expect(written).toHaveLength(RECORDS);
});

/** Tells when a transaction opens and ends. Commits take a while, as on a network. */
function watched(client: BrokerClient, onChange: (open: boolean) => void): BrokerClient {
  const watchedWriter = (writer: TransactionalWriter): TransactionalWriter =>
    new Proxy(writer, {
      get(target, name) {
        if (name === 'append') {
          return (...given: Parameters<TransactionalWriter['append']>) => {
            onChange(true);
            target.append(...given);
          };
        }
        if (name === 'commit') {
          return async (...given: Parameters<TransactionalWriter['commit']>) => {
            onChange(true);
            await new Promise((resolve) => setTimeout(resolve, COMMIT_MS));
            try {
              return await target.commit(...given);
            } finally {
              onChange(false);
            }
          };
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  return new Proxy(client, {
    get(target, name) {
      if (name === 'createTransactionalWriter') {
        return (...given: Parameters<BrokerClient['createTransactionalWriter']>) =>
          watchedWriter(target.createTransactionalWriter(...given));
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
