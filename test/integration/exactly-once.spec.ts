import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { startFaultProxy } from '../support/proxy.ts';
import type { FaultProxy, FaultRule } from '../support/proxy.ts';
import { startSums, sumsTopology } from '../support/sums-application.ts';
import { checkOutput, committed, createTopics, produce } from '../support/sums-input.ts';

const RECORDS = 10_000;

describeWithBroker('exactly once', (broker) => {
  let proxy: FaultProxy;
  beforeAll(async () => {
    proxy = await startFaultProxy(broker());
  });
  afterEach(() => proxy.heal());
  afterAll(() => proxy.close());

  it('processes a backlog to its end', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(broker(), input, output);
    await produce(broker(), input, 0, RECORDS);
    const application = await startSums(sumsTopology(input, output), {
      applicationId,
      brokers: broker().bootstrapServers,
      until: 'latest',
    });
    await application.runtime.whenEnded();
    await application.close();
    await checkOutput(broker(), output, RECORDS);
  });

  it.each<[string, FaultRule]>([
    ['an answer to Produce is lost', { api: 'Produce', on: 'answer', action: 'drop', skip: 3 }],
    [
      'a connection breaks with a Produce under way',
      { api: 'Produce', on: 'answer', action: 'cut', skip: 5 },
    ],
    ['a Produce request is lost', { api: 'Produce', on: 'request', action: 'cut', skip: 4 }],
    [
      'an answer to TxnOffsetCommit is lost',
      { api: 'TxnOffsetCommit', on: 'answer', action: 'drop', skip: 2 },
    ],
    ['an answer to EndTxn is lost', { api: 'EndTxn', on: 'answer', action: 'drop', skip: 2 }],
    ['a connection breaks with an EndTxn under way', { api: 'EndTxn', on: 'answer', action: 'cut', skip: 3 }],
    ['an EndTxn request is lost', { api: 'EndTxn', on: 'request', action: 'cut', skip: 3 }],
    ['Fetch answers are cut off', { api: 'Fetch', on: 'answer', action: 'cut', skip: 2, times: 3 }],
  ])('loses and doubles nothing when %s', async (_what, rule) => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(broker(), input, output);
    await produce(broker(), input, 0, RECORDS / 2);
    const fault = proxy.fault(rule);
    const application = await startSums(sumsTopology(input, output), {
      applicationId,
      brokers: [proxy.address],
      requestTimeoutMs: 1_500,
      commitIntervalMs: 20,
    });
    // In small pieces, so that there are many epochs for the fault to fall into, and some after it.
    let count = RECORDS / 2;
    while (count < RECORDS || (fault.hits === 0 && count < 4 * RECORDS)) {
      await produce(broker(), input, count, 250);
      count += 250;
    }
    await committed(application.client, applicationId, input, count, () => application.runtime.error);
    await application.close();
    expect(fault.hits).toBeGreaterThan(0);
    await checkOutput(broker(), output, count);
  });
});
