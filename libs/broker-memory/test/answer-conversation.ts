// Owns a conversation with a cluster, request by request, whose answers are noted as far as two clusters must agree on them: error
// codes, offsets, differences of epochs. It runs on a real broker and on a simulated one alike.
import { readRecordBatches } from '#libs/broker';
import type { FetchRequest, RpcAnswers, RpcPort } from '#libs/broker';
import { sleep } from '#libs/core';
import type { Clock } from '#libs/core';
import { batchOf } from './raw-client.ts';
import type { BatchOptions, Numbers } from './raw-client.ts';

export interface Note {
  readonly what: string;
  readonly answer: unknown;
}

/** How long to wait for markers, and for metadata to be known everywhere. */
const SETTLE_MS = 300;
const MARKERS_PENDING = 51;
const NOBODY: Numbers = { producerId: -1n, producerEpoch: -1 };
export const UNGROUPED = { generationId: -1, memberId: '', groupInstanceId: null };

export interface ScriptOptions {
  readonly rpc: RpcPort;
  readonly clock: Clock;
  /** A name nobody else uses. */
  readonly name: (prefix: string) => string;
  readonly version2: boolean;
}

export abstract class AnswerConversation {
  readonly notes: Note[] = [];
  protected readonly rpc: RpcPort;
  readonly #clock: Clock;
  protected readonly name: (prefix: string) => string;
  readonly #version2: boolean;
  /** Of all records: recent, since a broker begins a segment, and ends a fetch, where time leaps ahead. */
  readonly #now: number;
  #topic = '';
  #topicId = '';
  #node = 1;

  constructor({ rpc, clock, name, version2 }: ScriptOptions) {
    this.rpc = rpc;
    this.#clock = clock;
    this.name = name;
    this.#version2 = version2;
    this.#now = clock.now();
  }

  async run(): Promise<readonly Note[]> {
    await this.#topics();
    await this.#producing();
    await this.#transactions();
    await this.#offsets();
    await this.#fetching();
    await this.groups();
    return this.notes;
  }

  /** What members of groups are answered. */
  protected abstract groups(): Promise<void>;

  protected note(what: string, answer: unknown): void {
    this.notes.push({ what, answer });
  }

  #settle(): Promise<void> {
    return sleep(this.#clock, SETTLE_MS);
  }

  #batch(keys: readonly (string | null)[], options: BatchOptions = {}): Buffer {
    return batchOf(keys, { timestamp: this.#now, ...options });
  }

  // --- topics --------------------------------------------------------------------------------------------------

  async #create(
    name: string,
    numPartitions: number,
    replicationFactor = 1,
    configs: Record<string, string> = {},
  ): Promise<number> {
    const topics = [
      {
        name,
        numPartitions,
        replicationFactor,
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      },
    ];
    const answer = await this.rpc.call('bootstrap', 'CreateTopics', {
      timeoutMs: 10_000,
      validateOnly: false,
      topics,
    });
    return answer.topics[0]!.errorCode;
  }

  async #topics(): Promise<void> {
    this.#topic = this.name('script');
    this.note('create', await this.#create(this.#topic, 2));
    this.note('create again', await this.#create(this.#topic, 2));
    this.note('create without partitions', await this.#create(this.name('none'), 0));
    this.note('create with too many replicas', await this.#create(this.name('many'), 1, 50));
    this.note('create with a bad name', await this.#create('no/name', 1));
    this.note(
      'create with a bad value',
      await this.#create(this.name('bad'), 1, 1, { 'retention.ms': 'soon' }),
    );
    this.note('create with an unknown key', await this.#create(this.name('bad'), 1, 1, { 'no.such': '1' }));
    await this.#settle();
    const metadata = await this.rpc.call('bootstrap', 'Metadata', {
      topics: [this.#topic, this.name('absent')],
    });
    this.rpc.learnNodes(metadata.brokers);
    this.#node = metadata.brokers[0]!.nodeId;
    const byName = new Map(metadata.topics.map((topic) => [topic.name, topic]));
    this.#topicId = byName.get(this.#topic)!.topicId;
    this.note('metadata', [
      byName.get(this.#topic)!.partitions.length,
      [...byName.values()].map((t) => t.errorCode).sort(),
    ]);
    const configs = await this.rpc.call(this.#node, 'DescribeConfigs', {
      topics: [
        { name: this.#topic, keys: ['retention.ms', 'cleanup.policy'] },
        { name: this.name('absent'), keys: null },
      ],
    });
    this.note(
      'configs',
      configs.topics.map(({ errorCode, configs: values }) => [
        errorCode,
        values.map((c) => [c.name, c.value, c.isDefault]).sort(),
      ]),
    );
    const deleted = await this.rpc.call('bootstrap', 'DeleteTopics', {
      timeoutMs: 5_000,
      names: [this.name('absent')],
    });
    this.note('delete what is not there', deleted.topics[0]!.errorCode);
  }

  // --- producing -----------------------------------------------------------------------------------------------

  async #produce(
    bytes: Uint8Array,
    options: { topic?: string; partition?: number; id?: string; version2?: boolean } = {},
  ): Promise<[number, number]> {
    const { topic = this.#topic, partition = 0, id = null, version2 = this.#version2 } = options;
    const answer = await this.rpc.call(this.#node, 'Produce', {
      transactionalId: id,
      acks: -1,
      timeoutMs: 5_000,
      topics: [{ name: topic, topicId: this.#topicId, partitions: [{ partition, records: [bytes] }] }],
      transactionVersion2: version2,
    });
    const { errorCode, baseOffset } = answer.topics[0]!.partitions[0]!;
    return [errorCode, baseOffset];
  }

  async #producing(): Promise<void> {
    const { errorCode, ...numbers } = await this.#init(null);
    this.note('identity', [errorCode, numbers.producerEpoch]);
    const older = numbers;
    const newer = { ...numbers, producerEpoch: numbers.producerEpoch + 1 };
    this.note('first', await this.#produce(this.#batch(['a', 'b'], { numbers: older, sequence: 0 })));
    this.note('repeated', await this.#produce(this.#batch(['a', 'b'], { numbers: older, sequence: 0 })));
    this.note('gap', await this.#produce(this.#batch(['c'], { numbers: older, sequence: 3 })));
    for (let sequence = 2; sequence < 8; sequence++)
      await this.#produce(this.#batch(['c'], { numbers: older, sequence }));
    this.note('forgotten', await this.#produce(this.#batch(['a', 'b'], { numbers: older, sequence: 0 })));
    this.note('still known', await this.#produce(this.#batch(['c'], { numbers: older, sequence: 3 })));
    this.note(
      'new epoch, not from 0',
      await this.#produce(this.#batch(['d'], { numbers: newer, sequence: 1 })),
    );
    this.note('new epoch', await this.#produce(this.#batch(['d'], { numbers: newer, sequence: 0 })));
    this.note('old epoch', await this.#produce(this.#batch(['e'], { numbers: older, sequence: 8 })));
    const corrupt = this.#batch(['a']);
    corrupt[corrupt.length - 1]! ^= 1;
    this.note('corrupt', await this.#produce(corrupt));
    this.note('far future', await this.#produce(batchOf(['a'], { timestamp: Date.UTC(2200, 0) })));
    this.note('no such partition', await this.#produce(this.#batch(['a']), { partition: 9 }));
    const strict = this.name('strict');
    await this.#create(strict, 1, 1, { 'cleanup.policy': 'compact', 'max.message.bytes': '100' });
    await this.#settle();
    const topicId = (await this.rpc.call('bootstrap', 'Metadata', { topics: [strict] })).topics[0]!.topicId;
    const before = this.#topicId;
    this.#topicId = topicId;
    this.note('without a key', await this.#produce(this.#batch([null]), { topic: strict }));
    this.note('too large', await this.#produce(this.#batch(['x'.repeat(200)]), { topic: strict }));
    this.#topicId = before;
    const records = {
      timeoutMs: 5_000,
      topics: [{ name: strict, partitions: [{ partition: 0, offset: 0 }] }],
    };
    const deleted = await this.rpc.call(this.#node, 'DeleteRecords', records);
    this.note('delete from a compacted topic', deleted.topics[0]!.partitions[0]!.errorCode);
  }

  // --- transactions --------------------------------------------------------------------------------------------

  async #init(
    id: string | null,
    numbers: Numbers = NOBODY,
    timeoutMs = 60_000,
  ): Promise<RpcAnswers['InitProducerId']> {
    for (;;) {
      const target = id === null ? 'bootstrap' : await this.coordinator('transaction', id);
      const answer = await this.rpc.call(target, 'InitProducerId', {
        transactionalId: id,
        transactionTimeoutMs: timeoutMs,
        ...numbers,
      });
      // A coordinator that has just come up, and markers on their way, are nobody's business here.
      if (![14, 15, 16, 51].includes(answer.errorCode)) return answer;
      await sleep(this.#clock, 20);
    }
  }

  protected async coordinator(keyType: 'group' | 'transaction', key: string): Promise<number> {
    for (;;) {
      const answer = await this.rpc.call('bootstrap', 'FindCoordinator', { keyType, key });
      if (answer.errorCode === 0) {
        this.rpc.learnNodes([answer]);
        return answer.nodeId;
      }
      await sleep(this.#clock, 50);
    }
  }

  /** The answer's code, and how far the epoch went. */
  async #end(id: string, numbers: Numbers, committed: boolean): Promise<[number, number | null]> {
    const target = await this.coordinator('transaction', id);
    const request = { transactionalId: id, ...numbers, committed, transactionVersion2: this.#version2 };
    let answer = await this.rpc.call(target, 'EndTxn', request);
    while (answer.errorCode === MARKERS_PENDING) {
      await sleep(this.#clock, 100);
      answer = await this.rpc.call(target, 'EndTxn', request);
    }
    const bump =
      this.#version2 && answer.errorCode === 0 ? answer.producerEpoch - numbers.producerEpoch : null;
    await this.#settle();
    return [answer.errorCode, bump];
  }

  /** One record in a transaction. */
  async #write(id: string, numbers: Numbers, sequence = 0): Promise<number> {
    if (!this.#version2) await this.#add(id, numbers);
    const bytes = this.#batch(['t'], { numbers, sequence, transactional: true });
    const [errorCode] = await this.#produce(bytes, { id, partition: 1 });
    return errorCode;
  }

  async #add(id: string, numbers: Numbers, topic = this.#topic): Promise<number> {
    const answer = await this.rpc.call(await this.coordinator('transaction', id), 'AddPartitionsToTxn', {
      transactionalId: id,
      ...numbers,
      topics: [{ name: topic, partitions: [1] }],
    });
    return answer.errorCode === 0 ? answer.topics[0]!.partitions[0]!.errorCode : answer.errorCode;
  }

  /** The identity that follows: under version 2 each end bumps the epoch. */
  #next(numbers: Numbers): Numbers {
    return this.#version2 ? { ...numbers, producerEpoch: numbers.producerEpoch + 1 } : numbers;
  }

  async #transactions(): Promise<void> {
    const id = this.name('id');
    const { errorCode, ...first } = await this.#init(id);
    this.note('init', [errorCode, first.producerEpoch]);
    this.note('write', await this.#write(id, first));
    this.note('commit', await this.#end(id, first, true));
    this.note('commit again', await this.#end(id, first, true));
    this.note('abort what is committed', await this.#end(id, first, false));
    const second = this.#next(first);
    if (this.#version2) this.note('late write', await this.#write(id, first, 1));
    this.note('next write', await this.#write(id, second, this.#version2 ? 0 : 1));
    if (this.#version2) this.note('late commit', await this.#end(id, first, true));
    this.note('abort', await this.#end(id, second, false));
    this.note('abort again', await this.#end(id, second, false));
    this.note('commit what is aborted', await this.#end(id, second, true));
    if (this.#version2) {
      const third = this.#next(second);
      this.note('commit nothing', await this.#end(id, third, true));
      this.note('abort nothing', await this.#end(id, third, false));
    }
    this.note('unknown id', await this.#end(this.name('unknown'), first, true));
    this.note(
      'other producer',
      await this.#end(id, { ...first, producerId: first.producerId + 100_000n }, true),
    );
    await this.#fencing();
    await this.#timeout();
  }

  async #fencing(): Promise<void> {
    const id = this.name('id');
    const { errorCode: _, ...older } = await this.#init(id);
    this.note('fresh, commit nothing', await this.#end(id, older, true));
    const bumped = await this.#init(id, older);
    this.note('init with numbers', [bumped.errorCode, bumped.producerEpoch - older.producerEpoch]);
    const again = await this.#init(id, older);
    this.note('init with numbers again', [again.errorCode, again.producerEpoch - older.producerEpoch]);
    this.note('write before fencing', await this.#write(id, bumped));
    const newer = await this.#init(id);
    this.note('fenced write', await this.#write(id, bumped, 1));
    this.note('fenced commit', await this.#end(id, bumped, true));
    this.note('init with fenced numbers', (await this.#init(id, older)).errorCode);
    this.note('write after fencing', await this.#write(id, newer));
    this.note('commit after fencing', await this.#end(id, newer, true));
    this.note('time-out too long', (await this.#init(id, NOBODY, 100_000_000)).errorCode);
    if (this.#version2) return;
    const bytes = this.#batch(['t'], { numbers: newer, sequence: 1, transactional: true });
    this.note('write without adding', (await this.#produce(bytes, { id, partition: 0 }))[0]);
    this.note('add a topic that is not there', await this.#add(id, newer, this.name('absent')));
  }

  async #timeout(): Promise<void> {
    for (const committed of [true, false]) {
      const id = this.name('id');
      const { errorCode: _, ...numbers } = await this.#init(id, NOBODY, 500);
      await this.#write(id, numbers);
      await sleep(this.#clock, 2_000);
      this.note(
        `${committed ? 'commit' : 'abort'} after the time-out`,
        (await this.#end(id, numbers, committed))[0],
      );
      this.note('write after the time-out', await this.#write(id, numbers, 1));
    }
  }

  // --- offsets of groups ---------------------------------------------------------------------------------------

  protected async commit(groupId: string, member: typeof UNGROUPED, topic = this.#topic): Promise<number> {
    const answer = await this.rpc.call(await this.coordinator('group', groupId), 'OffsetCommit', {
      groupId,
      ...member,
      topics: [this.#offset(topic, 3)],
    });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }

  #offset(
    name: string,
    committedOffset: number,
  ): {
    name: string;
    partitions: {
      partition: number;
      committedOffset: number;
      committedLeaderEpoch: number;
      committedMetadata: string;
    }[];
  } {
    return {
      name,
      partitions: [{ partition: 0, committedOffset, committedLeaderEpoch: 0, committedMetadata: 'm' }],
    };
  }

  async #fetchOffset(groupId: string, requireStable: boolean): Promise<[number, number, string | null]> {
    const topics = [{ name: this.#topic, partitions: [0] }];
    const request = { groupId, topics, requireStable };
    let answer = await this.rpc.call(await this.coordinator('group', groupId), 'OffsetFetch', request);
    while (answer.errorCode !== 0) {
      await sleep(this.#clock, 100);
      answer = await this.rpc.call(await this.coordinator('group', groupId), 'OffsetFetch', request);
    }
    const { errorCode, committedOffset, metadata } = answer.topics[0]!.partitions[0]!;
    return [errorCode, committedOffset, metadata];
  }

  async #commitInTransaction(
    id: string,
    numbers: Numbers,
    groupId: string,
    offset: number,
    member = UNGROUPED,
  ): Promise<number> {
    if (!this.#version2) {
      await this.rpc.call(await this.coordinator('transaction', id), 'AddOffsetsToTxn', {
        transactionalId: id,
        ...numbers,
        groupId,
      });
    }
    const answer = await this.rpc.call(await this.coordinator('group', groupId), 'TxnOffsetCommit', {
      transactionalId: id,
      ...numbers,
      groupId,
      ...member,
      topics: [this.#offset(this.#topic, offset)],
      transactionVersion2: this.#version2,
    });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }

  async #offsets(): Promise<void> {
    const groupId = this.name('group');
    this.note('no offset', await this.#fetchOffset(groupId, true));
    // Until every coordinator is up.
    await sleep(this.#clock, 1_000);
    this.note(
      'commit under a generation nobody knows',
      await this.commit(groupId, { ...UNGROUPED, generationId: 3, memberId: 'm' }),
    );
    this.note('commit', await this.commit(groupId, UNGROUPED));
    this.note('fetched', await this.#fetchOffset(groupId, true));
    const id = this.name('id');
    const { errorCode: _, ...first } = await this.#init(id);
    const invented = { ...UNGROUPED, generationId: 3, memberId: 'm' };
    this.note('in a transaction', await this.#commitInTransaction(id, first, groupId, 7));
    this.note(
      'under an invented membership',
      await this.#commitInTransaction(id, first, groupId, 8, invented),
    );
    this.note(
      'of a group nobody knows',
      await this.#commitInTransaction(id, first, this.name('unknown'), 8, invented),
    );
    this.note('pending', [await this.#fetchOffset(groupId, false), await this.#fetchOffset(groupId, true)]);
    this.note('ended', await this.#end(id, first, true));
    this.note('committed', await this.#fetchOffset(groupId, true));
    const second = this.#next(first);
    await this.#commitInTransaction(id, second, groupId, 9);
    await this.#end(id, second, false);
    this.note('aborted', await this.#fetchOffset(groupId, true));
    const { errorCode: __, ...newer } = await this.#init(id);
    this.note('of a fenced producer', await this.#commitInTransaction(id, this.#next(second), groupId, 10));
    this.note('of the newer one', await this.#commitInTransaction(id, newer, groupId, 11));
    this.note('of the newer one, ended', await this.#end(id, newer, true));
    if (this.#version2) return;
    const answer = await this.rpc.call(await this.coordinator('group', groupId), 'TxnOffsetCommit', {
      transactionalId: id,
      ...newer,
      groupId,
      ...UNGROUPED,
      topics: [this.#offset(this.#topic, 1)],
      transactionVersion2: false,
    });
    this.note('without adding them', answer.topics[0]!.partitions[0]!.errorCode);
  }

  // --- reading -------------------------------------------------------------------------------------------------

  #fetchRequest(
    partition: number,
    fetchOffset: number,
    options: Partial<FetchRequest> = {},
    currentLeaderEpoch = -1,
  ): FetchRequest {
    return {
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 1_000_000,
      isolation: 'read_committed',
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          name: this.#topic,
          topicId: this.#topicId,
          partitions: [
            {
              partition,
              currentLeaderEpoch,
              fetchOffset,
              lastFetchedEpoch: -1,
              logStartOffset: -1,
              partitionMaxBytes: 1_000_000,
            },
          ],
        },
      ],
      forgottenTopics: [],
      rackId: '',
      ...options,
    };
  }

  async #fetch(request: FetchRequest): Promise<unknown> {
    const answer = await this.rpc.call(this.#node, 'Fetch', request);
    return [
      answer.errorCode,
      answer.topics.flatMap((topic) =>
        topic.partitions.map((part) => [
          part.errorCode,
          part.highWatermark,
          part.lastStableOffset,
          part.abortedTransactions.length,
          readRecordBatches(part.records ?? Buffer.alloc(0)).map((batch) => [
            batch.baseOffset,
            batch.isControl,
          ]),
        ]),
      ),
    ];
  }

  async #fetching(): Promise<void> {
    this.note('all of partition 0', await this.#fetch(this.#fetchRequest(0, 0)));
    this.note('all of partition 1', await this.#fetch(this.#fetchRequest(1, 0)));
    this.note('behind the end', await this.#fetch(this.#fetchRequest(0, 1_000)));
    this.note('of an epoch to come', await this.#fetch(this.#fetchRequest(0, 0, {}, 7)));
    this.note('of no partition', await this.#fetch(this.#fetchRequest(9, 0)));
    const unknown = [{ ...this.#fetchRequest(0, 0).topics[0]!, topicId: 'ab'.repeat(16) }];
    this.note('of no topic', await this.#fetch(this.#fetchRequest(0, 0, { topics: unknown })));
    const opened = await this.rpc.call(
      this.#node,
      'Fetch',
      this.#fetchRequest(0, 0, { sessionEpoch: 0, maxBytes: 1 }),
    );
    const { sessionId } = opened;
    this.note('session', [opened.errorCode, sessionId > 0]);
    const in_ = (epoch: number): FetchRequest =>
      this.#fetchRequest(0, 0, { sessionId, sessionEpoch: epoch, topics: [] });
    this.note('of a wrong session epoch', await this.#fetch(in_(5)));
    this.note('of no session', await this.#fetch({ ...in_(1), sessionId: 123_456_789 }));
    for (const [when, timestamp] of [
      ['latest', -1],
      ['earliest', -2],
      ['long ago', 0],
      ['its time', this.#now],
      ['to come', this.#now + 3_600_000],
    ] as const) {
      const topics = [
        { name: this.#topic, partitions: [{ partition: 1, currentLeaderEpoch: -1, timestamp }] },
      ];
      for (const isolation of ['read_committed', 'read_uncommitted'] as const) {
        const answer = await this.rpc.call(this.#node, 'ListOffsets', { isolation, topics });
        const { errorCode, offset } = answer.topics[0]!.partitions[0]!;
        this.note(`offset of ${when}, ${isolation}`, [errorCode, offset]);
      }
    }
    const epochs = [
      { name: this.#topic, partitions: [{ partition: 1, currentLeaderEpoch: -1, leaderEpoch: 0 }] },
    ];
    const ends = await this.rpc.call(this.#node, 'OffsetForLeaderEpoch', { topics: epochs });
    this.note('end of epoch 0', ends.topics[0]!.partitions[0]);
    const del = {
      timeoutMs: 5_000,
      topics: [
        {
          name: this.#topic,
          partitions: [
            { partition: 0, offset: 1 },
            { partition: 1, offset: 9_999 },
          ],
        },
      ],
    };
    const deleted = await this.rpc.call(this.#node, 'DeleteRecords', del);
    this.note(
      'delete records',
      [...deleted.topics[0]!.partitions]
        .sort((a, b) => a.partition - b.partition)
        .map(({ errorCode, lowWatermark }) => [errorCode, lowWatermark]),
    );
    this.note('below the start', await this.#fetch(this.#fetchRequest(0, 0)));
    this.note('within the first batch', await this.#fetch(this.#fetchRequest(0, 1)));
  }
}
