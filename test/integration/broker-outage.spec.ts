// The state machines of libs/broker through outages: the broker is killed and comes back, the network is silent for a while.
// A writer commits numbered epochs all along and follows the one discipline: after anything ambiguous it initialises, reads
// the committed offset and goes on behind it. In the end every number is there once, in order.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBrokerClient, RecordBatchEncoder, RecordColumns } from '#libs/broker';
import type { BrokerClient, GroupMember, TransactionalWriter } from '#libs/broker';
import { brokerAvailability, startLocalBroker } from '#libs/broker-local';
import type { LocalBroker } from '#libs/broker-local';
import { asError, EpochAbortedError, silentLogger, sleep, systemClock } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { createKafkaRpc } from '#libs/kafka';
import { uniqueName } from '../support/broker.ts';
import { startFaultProxy } from '../support/proxy.ts';
import type { FaultProxy } from '../support/proxy.ts';

const available = await brokerAvailability({ roads: ['local'] });
const describeHere = available.road === undefined ? describe.skip : describe;

describeHere(
  `the broker client through outages${available.road === undefined ? ` (skipped: ${available.reasons.join(' ')})` : ''}`,
  () => {
    let broker: LocalBroker;
    let proxy: FaultProxy;
    let client: BrokerClient;

    beforeAll(async () => {
      broker = await startLocalBroker({ roads: ['local'] });
      proxy = await startFaultProxy(broker);
      const rpc = createKafkaRpc(
        { brokers: [proxy.address], clientId: 'outage' },
        { clock: systemClock, logger: silentLogger },
      );
      client = createBrokerClient({ rpc, requestTimeoutMs: 1_000 });
    }, 60_000);
    afterAll(async () => {
      await client.close();
      await proxy.close();
      await broker.stop();
    }, 60_000);

    it.each<[string, () => Promise<void>]>([
      ['the broker is killed and restarted', () => broker.restart({ downMs: 500 })],
      ['the broker is shut down cleanly and restarted', () => broker.restart({ stop: 'clean' })],
      [
        'the network is silent for longer than a request may take',
        async () => {
          proxy.sever('silence');
          await sleep(systemClock, 3_000);
          proxy.heal();
        },
      ],
      [
        'all connections are refused for a while',
        async () => {
          proxy.sever('refuse');
          await sleep(systemClock, 2_000);
          proxy.heal();
        },
      ],
    ])(
      'commits, reads and keeps its membership when %s',
      async (_name, outage) => {
        const topic = uniqueName('outage');
        const groupId = uniqueName('group');
        await client.admin.createTopics([{ name: topic, partitionCount: 1 }]);
        const member = startMember(client, groupId, topic);
        await until(() => member.assignments > 0, 'the first assignment');
        const generation = member.member.metadata!.generationId;

        const writing = new NumberedWriting(client, topic, `${groupId}-offsets`);
        const reading = new NumberedReading(client, topic);
        await writing.start();
        reading.start();
        await until(() => writing.committed > 30, 'thirty commits');
        await outage();
        const before = writing.committed;
        await until(() => writing.committed > before + 30, 'thirty more commits', 45_000);
        await writing.stop();
        await until(() => reading.numbers.length >= writing.committed, 'all is read');
        await reading.stop();

        expect(reading.numbers).toEqual(Array.from({ length: writing.committed }, (_, i) => i));
        await until(() => member.member.state === 'STABLE', 'the membership holds');
        // The session outlasts the outage, and the coordinator remembers its members: nobody had to join again.
        expect([member.member.metadata!.generationId, member.lost]).toEqual([generation, []]);
        await member.member.leave('done');
      },
      90_000,
    );
  },
);

/** Commits 0, 1, 2, … one a transaction, the next number as offset. */
class NumberedWriting {
  readonly #client: BrokerClient;
  readonly #topic: string;
  readonly #groupId: string;
  readonly #writer: TransactionalWriter;
  #running: Promise<void> | undefined;
  #stopping = false;
  #failure: Error | undefined;
  #next = 0;

  constructor(client: BrokerClient, topic: string, groupId: string) {
    this.#client = client;
    this.#topic = topic;
    this.#groupId = groupId;
    this.#writer = client.createTransactionalWriter({ transactionalId: groupId, deadlineMs: 5_000 });
  }

  get committed(): number {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#next;
  }

  async start(): Promise<void> {
    await this.#writer.initialise();
    this.#running = this.#run().catch((error: unknown) => {
      this.#failure = asError(error);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    await this.#writer.close();
  }

  async #run(): Promise<void> {
    const group = { groupId: this.#groupId, generationId: -1, memberId: '', groupInstanceId: null };
    while (!this.#stopping) {
      const encoder = new RecordBatchEncoder();
      encoder.append(systemClock.now(), null, String(this.#next) as BinaryString);
      const offset = {
        topic: this.#topic,
        partition: 0,
        offset: this.#next + 1,
        leaderEpoch: -1,
        metadata: '',
      };
      try {
        this.#writer.append(this.#topic, 0, encoder.finish()!);
        await this.#writer.commit([offset], group);
        this.#next++;
      } catch (error) {
        if (!(error instanceof EpochAbortedError)) throw error;
        await this.#recover();
      }
      await sleep(systemClock, 5);
    }
  }

  async #recover(): Promise<void> {
    for (;;) {
      try {
        await this.#writer.initialise();
        break;
      } catch (error) {
        if (!(error instanceof EpochAbortedError) || this.#stopping) throw error;
      }
    }
    const partitions = [{ topic: this.#topic, partition: 0 }];
    const offsets = await this.#client.admin.committedOffsets(this.#groupId, partitions);
    this.#next = offsets.get(`${this.#topic}-0`)?.offset ?? 0;
  }
}

class NumberedReading {
  readonly numbers: number[] = [];
  readonly #client: BrokerClient;
  readonly #topic: string;
  #running: Promise<void> | undefined;
  #stopping = false;

  constructor(client: BrokerClient, topic: string) {
    this.#client = client;
    this.#topic = topic;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const reader = this.#client.createReader({ isolation: 'read_committed' });
    const columns = new RecordColumns();
    reader.assign(this.#topic, 0, 0);
    while (!this.#stopping) {
      const chunk = reader.take();
      if (chunk === undefined) {
        await reader.waitForChunk(50);
        continue;
      }
      for (const batch of chunk.batches) {
        const count = columns.decode(batch, chunk.startOffset);
        for (let i = 0; i < count; i++) {
          this.numbers.push(Number(columns.text.substring(columns.valueStart[i]!, columns.valueEnd[i])));
        }
      }
    }
    await reader.close();
  }
}

interface Membership {
  readonly member: GroupMember;
  assignments: number;
  readonly lost: string[];
}

function startMember(client: BrokerClient, groupId: string, topic: string): Membership {
  const lost: string[] = [];
  const member = client.createGroupMember(
    { groupId, sessionTimeoutMs: 30_000, heartbeatIntervalMs: 500 },
    {
      beforeJoin: () =>
        Promise.resolve({ topics: [topic], ownedPartitions: [], userData: new Uint8Array(0) }),
      assign: (members) =>
        Promise.resolve(
          new Map(
            members.map((m) => [
              m.memberId,
              { partitions: [{ topic, partition: 0 }], userData: new Uint8Array(0) },
            ]),
          ),
        ),
      onAssigned: () => {
        membership.assignments++;
        return Promise.resolve();
      },
      onLost: (reason) => {
        lost.push(reason);
        return Promise.resolve();
      },
      onFailed: (error) => lost.push(error.message),
    },
  );
  const membership: Membership = { member, assignments: 0, lost };
  member.start();
  return membership;
}

async function until(condition: () => boolean, what: string, limitMs = 20_000): Promise<void> {
  const end = systemClock.monotonic() + limitMs;
  while (!condition()) {
    if (systemClock.monotonic() > end) throw new Error(`${what}: not within ${limitMs} ms`);
    await sleep(systemClock, 20);
  }
}
