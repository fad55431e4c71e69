// The contract of libs/broker on a real broker, with faults between client and broker.
//
//   MILLRACE_TEST_KAFKA_VERSION=3.9.2 npm run test:contract      on another release
//   MILLRACE_TEST_TRANSACTION_VERSION=1 npm run test:contract    on a lower level of transaction.version
//   npm run test:contract:matrix                                 on every kind of broker that is supported
import { afterAll, beforeAll } from '@jest/globals';
import { createBrokerClient } from '#libs/broker';
import { silentLogger, systemClock } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';
import { brokerContract } from '../../libs/broker/test/contract-suite/index.ts';
import type { ContractEnvironment } from '../../libs/broker/test/contract-suite/index.ts';
import { describeWithBroker, testBrokerOptions, uniqueName } from '../support/broker.ts';
import { startFaultProxy } from '../support/proxy.ts';
import type { FaultProxy } from '../support/proxy.ts';

const TIMEOUT_SWEEP_MS = 500;

describeWithBroker(
  'libs/broker on a real broker',
  (broker) => {
    let proxy: FaultProxy;
    let transactionVersion = 0;

    const createRpc = (clientId: string): ReturnType<typeof createKafkaRpc> =>
      createKafkaRpc({ brokers: [proxy.address], clientId }, { clock: systemClock, logger: silentLogger });

    beforeAll(async () => {
      proxy = await startFaultProxy(broker());
      const rpc = createRpc('probe');
      transactionVersion = (await rpc.features()).transactionVersion;
      await rpc.close();
    });
    afterAll(() => proxy.close());

    brokerContract((): ContractEnvironment => ({
      clock: systemClock,
      transactionVersion,
      timeoutSweepMs: 2 * TIMEOUT_SWEEP_MS,
      createClient: ({ clientId = 'contract', requestTimeoutMs = 5_000 }) =>
        createBrokerClient({ rpc: createRpc(clientId), requestTimeoutMs }),
      fault: ({ clientId, ...rule }) =>
        proxy.fault(
          clientId === undefined ? rule : { ...rule, when: (request) => request.clientId === clientId },
        ),
      uniqueName,
    }));
  },
  {
    ...testBrokerOptions(),
    properties: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': TIMEOUT_SWEEP_MS },
  },
);
