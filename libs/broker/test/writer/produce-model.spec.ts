// The produce pipeline against a model of the broker, under seeded chance: requests and answers lost or late, patience asked
// for, leaders that move. Whatever happens, a transaction that commits has written each batch once and in order.
import { describe, expect, it } from '@jest/globals';
import { EpochAbortedError } from '#libs/core';
import { RpcFailure } from '../../src/rpc/index.ts';
import type { ProduceAnswer, ProduceRequest, RpcRequests } from '../../src/rpc/index.ts';
import { batchOf } from '../support/batches.ts';
import type { FakeClock } from '../support/fake-clock.ts';
import { PartitionModel } from '../support/partition-model.ts';
import { metadataOf } from '../support/scripted-rpc.ts';
import { initialised } from '../support/writer-fixture.ts';

const PARTITIONS = 3;
const BATCHES = 60;
const SEEDS = 150;
/** Asked for by brokers that have not written anything. */
const PATIENCE = [51, 19, 14, 7];

class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 2654435761 + 1;
  }

  /** 0 ≤ x < 1. */
  next(): number {
    this.#state = (Math.imul(this.#state ^ (this.#state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    return ((this.#state ^ (this.#state >>> 12)) >>> 0) / 4294967296;
  }

  hits(probability: number): boolean {
    return this.next() < probability;
  }
}

/** Two nodes that answer Produce over one connection each: in order, but late, or not at all. */
class ModelCluster {
  readonly partitions = Array.from({ length: PARTITIONS }, (_, i) => new PartitionModel(1 + (i % 2)));
  trouble = true;
  readonly #clock: FakeClock;
  readonly #chance: Chance;
  /** When the last frame of each connection arrives. */
  readonly #arrival = new Map<number, number>();

  constructor(clock: FakeClock, chance: Chance) {
    this.#clock = clock;
    this.#chance = chance;
  }

  readonly metadata = (request: RpcRequests['Metadata']) => {
    const answer = metadataOf({ out: this.partitions.map((partition) => partition.leader) })(request);
    const topics = answer.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((partition) => ({
        ...partition,
        leaderEpoch: this.partitions[partition.partition]!.leaderEpoch,
      })),
    }));
    return { ...answer, topics };
  };

  readonly produce = async (
    request: ProduceRequest,
    target: number | 'bootstrap',
  ): Promise<ProduceAnswer> => {
    const node = target as number;
    // The bytes as they leave: a retry must send the same ones.
    const sent = request.topics[0]!.partitions.map(({ partition, records }) => ({
      partition,
      bytes: Buffer.concat(records),
    }));
    const lostRequest = this.#trouble(0.06);
    const lostAnswer = this.#trouble(0.08);
    await this.#arrive(node);
    if (lostRequest) throw new RpcFailure('unknown', target, 'Produce', new Error('request lost'));
    const answers = sent.map(({ partition, bytes }) => {
      if (this.#trouble(0.1)) return { partition, errorCode: this.#patience(), baseOffset: -1 };
      return { partition, ...this.partitions[partition]!.append(node, bytes) };
    });
    if (this.#trouble(0.02)) this.#moveALeader();
    await this.#delay(this.#chance.next() * 5);
    if (lostAnswer) throw new RpcFailure('unknown', target, 'Produce', new Error('answer lost'));
    return {
      throttleTimeMs: 0,
      topics: [
        {
          name: 'out',
          partitions: answers.map((answer) => ({
            ...answer,
            errorMessage: null,
            logAppendTimeMs: -1,
            logStartOffset: 0,
            recordErrors: [],
          })),
        },
      ],
    };
  };

  #trouble(probability: number): boolean {
    return this.#chance.hits(probability) && this.trouble;
  }

  #patience(): number {
    return PATIENCE[Math.floor(this.#chance.next() * PATIENCE.length)]!;
  }

  #moveALeader(): void {
    const partition = this.partitions[Math.floor(this.#chance.next() * PARTITIONS)]!;
    partition.leader = 3 - partition.leader;
    partition.leaderEpoch++;
  }

  #arrive(node: number): Promise<void> {
    const now = this.#clock.monotonic();
    const at = Math.max(this.#arrival.get(node) ?? 0, now + this.#chance.next() * 5);
    this.#arrival.set(node, at);
    return this.#delay(at - now);
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.schedule(ms, resolve));
  }
}

async function runSeed(seed: number): Promise<'committed' | 'aborted'> {
  const chance = new Chance(seed);
  const { clock, rpc, writer } = await initialised({ deadlineMs: 60_000, transactionTimeoutMs: 600_000 });
  const cluster = new ModelCluster(clock, chance);
  rpc.on('Metadata', cluster.metadata).on('Produce', cluster.produce);
  const expected: string[][] = cluster.partitions.map(() => []);
  for (let i = 0; i < BATCHES; i++) {
    const partition = Math.floor(chance.next() * PARTITIONS);
    const values = Array.from({ length: 1 + Math.floor(chance.next() * 3) }, (_, j) => `${i}.${j}`);
    writer.append('out', partition, batchOf(...values));
    expected[partition]!.push(...values);
    if (chance.hits(0.5)) await clock.advance(chance.next() * 8);
  }
  try {
    const { endOffsets } = await clock.run(writer.commit([], null));
    expect(cluster.partitions.map((partition) => partition.values)).toEqual(expected);
    for (const [key, end] of endOffsets) {
      expect(end).toBeLessThanOrEqual(expected[Number(key.split('-')[1])]!.length);
    }
    return 'committed';
  } catch (error) {
    if (!(error instanceof EpochAbortedError)) throw error;
    return 'aborted';
  }
}

describe('batches over an unreliable network', () => {
  it(`are written once and in order by every transaction that commits (${SEEDS} seeds)`, async () => {
    const outcomes = { committed: 0, aborted: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        outcomes[await runSeed(seed)]++;
      } catch (error) {
        throw new Error(`seed ${seed} failed`, { cause: error });
      }
    }
    // Losses are no reason to give an epoch up: identical requests settle all of them.
    expect(outcomes).toEqual({ committed: SEEDS, aborted: 0 });
  }, 60_000);
});
