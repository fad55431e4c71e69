// The contract of libs/broker on the simulated cluster: the tests that a real broker passes too.
import { afterAll, beforeAll, describe } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import { createMemoryCluster, VirtualClock } from '#libs/broker-memory';
import { systemClock } from '#libs/core';
import { brokerContract } from '../../broker/test/contract-suite/index.ts';
import type { ContractEnvironment } from '../../broker/test/contract-suite/index.ts';

const SWEEP_MS = 100;

describe.each([1, 2] as const)(
  'libs/broker on a simulated cluster, transaction version %i',
  (transactionVersion) => {
    // What the suite writes is dated by the system's clock.
    const clock = new VirtualClock({ startMs: systemClock.now() });
    const cluster = createMemoryCluster({
      clock,
      transactionVersion,
      brokers: 3,
      transactionTimeoutSweepMs: SWEEP_MS,
      latencyMs: 0.25,
    });
    let names = 0;
    let stop: () => void;

    beforeAll(() => {
      stop = clock.runFreely();
    });
    afterAll(() => stop());

    brokerContract((): ContractEnvironment => ({
      clock,
      transactionVersion,
      timeoutSweepMs: 2 * SWEEP_MS,
      createClient: ({ clientId = 'contract', requestTimeoutMs = 5_000 }) =>
        createBrokerClient({ rpc: cluster.rpc(clientId), clock, requestTimeoutMs }),
      fault: (rule) => cluster.fault(rule),
      uniqueName: (prefix) => `${prefix}-${++names}`,
    }));
  },
);
