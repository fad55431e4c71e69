// The contract of libs/broker on the simulated cluster: the tests that a real broker passes too.
import { describe } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import { createMemoryCluster } from '#libs/broker-memory';
import { systemClock } from '#libs/core';
import { brokerContract } from '../../broker/test/contract-suite/index.ts';
import type { ContractEnvironment } from '../../broker/test/contract-suite/index.ts';

const SWEEP_MS = 100;

describe.each([1, 2] as const)(
  'libs/broker on a simulated cluster, transaction version %i',
  (transactionVersion) => {
    const cluster = createMemoryCluster({
      clock: systemClock,
      transactionVersion,
      brokers: 3,
      transactionTimeoutSweepMs: SWEEP_MS,
    });
    let names = 0;

    brokerContract((): ContractEnvironment => ({
      clock: systemClock,
      transactionVersion,
      timeoutSweepMs: 2 * SWEEP_MS,
      createClient: ({ clientId = 'contract', requestTimeoutMs = 5_000 }) =>
        createBrokerClient({ rpc: cluster.rpc(clientId), requestTimeoutMs }),
      fault: (rule) => cluster.fault(rule),
      uniqueName: (prefix) => `${prefix}-${++names}`,
    }));
  },
);
