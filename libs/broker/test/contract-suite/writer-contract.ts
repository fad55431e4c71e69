// The contract of the transactional writer under lost, late and repeated messages. Each defect that was measured in other
// clients (design, exactly-once.md) has its test here.
import { describe, expect, it } from '@jest/globals';
import type { ApiName } from '#libs/broker';
import { EpochAbortedError, FatalError } from '#libs/core';
import { batch, errorOf, offsetAt, ungrouped } from './bench.ts';
import type { Bench } from './bench.ts';

export function writerContract(bench: () => Bench): void {
  const name = (prefix: string): string => bench().environment.uniqueName(prefix);

  describe('a transaction', () => {
    it('makes records and offsets visible together, and tells where its records end', async () => {
      const topic = await bench().topic(2);
      const groupId = name('group');
      const writer = await bench().writer();
      writer.append(topic, 0, batch('a', 'b'));
      writer.append(topic, 1, batch('c'));
      const { endOffsets } = await writer.commit([offsetAt(topic, 7)], ungrouped(groupId));
      expect([...endOffsets].sort()).toEqual([
        [`${topic}-0`, 2],
        [`${topic}-1`, 1],
      ]);
      expect(await bench().read(topic, 0)).toEqual(['a', 'b']);
      expect(await bench().read(topic, 1)).toEqual(['c']);
      expect(await bench().committedOffset(groupId, topic)).toBe(7);
    });

    it('follows another at once, fifty times, while markers are still being written', async () => {
      const topic = await bench().topic(3);
      const writer = await bench().writer();
      const expected: string[] = [];
      for (let i = 0; i < 50; i++) {
        for (let partition = 0; partition < 3; partition++) writer.append(topic, partition, batch(`v${i}`));
        await writer.commit([], null);
        expected.push(`v${i}`);
      }
      for (let partition = 0; partition < 3; partition++)
        expect(await bench().read(topic, partition)).toEqual(expected);
    });

    it('that is aborted leaves neither records nor offsets', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const writer = await bench().writer();
      writer.append(topic, 0, batch('aborted'));
      await writer.flush();
      await writer.abort();
      writer.append(topic, 0, batch('kept'));
      await writer.commit([offsetAt(topic, 1)], ungrouped(groupId));
      expect(await bench().read(topic)).toEqual(['kept']);
      expect(await bench().committedOffset(groupId, topic)).toBe(1);
    });

    it('of offsets alone commits them', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const writer = await bench().writer();
      await writer.commit([offsetAt(topic, 3)], ungrouped(groupId));
      expect(await bench().committedOffset(groupId, topic)).toBe(3);
    });

    it('keeps order and loses nothing over many batches with answers lost on the way', async () => {
      const topic = await bench().topic(2);
      const clientId = name('client');
      const writer = await bench().writer({ clientId });
      const expected: [string[], string[]] = [[], []];
      for (let round = 0; round < 10; round++) {
        bench().fault({
          api: 'Produce',
          on: round % 2 === 0 ? 'answer' : 'request',
          action: 'cut',
          skip: round % 3,
          clientId,
        });
        for (let i = 0; i < 20; i++) {
          const partition = i % 2;
          const value = `${round}.${i}`;
          writer.append(topic, partition, batch(value));
          expected[partition]!.push(value);
          if (i % 5 === 4) await bench().sleep(1);
        }
        await writer.commit([], null);
      }
      expect(await bench().read(topic, 0)).toEqual(expected[0]);
      expect(await bench().read(topic, 1)).toEqual(expected[1]);
    });
  });

  describe('a lost produce answer', () => {
    it.each(['cut', 'drop'] as const)('(%s) writes the batch once', async (action) => {
      const topic = await bench().topic();
      const clientId = name('client');
      const writer = await bench().writer({ clientId });
      const fault = bench().fault({ api: 'Produce', on: 'answer', action, clientId });
      await bench().committed(writer, topic, 'once');
      expect(fault.hits).toBe(1);
      expect(await bench().read(topic)).toEqual(['once']);
    });

    it('never costs the next batch of the same size, which reuses no sequence', async () => {
      const topic = await bench().topic();
      const clientId = name('client');
      const writer = await bench().writer({ clientId, deadlineMs: 3_000 });
      const fault = bench().fault({ api: 'Produce', on: 'answer', action: 'cut', times: Infinity, clientId });
      writer.append(topic, 0, batch('first'));
      expect(await errorOf(writer.commit([], null))).toBeInstanceOf(EpochAbortedError);
      fault.remove();
      await writer.initialise();
      await bench().committed(writer, topic, 'other');
      expect(await bench().read(topic)).toEqual(['other']);
    });
  });

  it.each<[ApiName, 'request' | 'answer']>([
    ['Produce', 'request'],
    ['TxnOffsetCommit', 'request'],
    ['TxnOffsetCommit', 'answer'],
    ['EndTxn', 'request'],
    ['EndTxn', 'answer'],
    ['InitProducerId', 'request'],
    ['InitProducerId', 'answer'],
    ['FindCoordinator', 'answer'],
    ['Metadata', 'answer'],
    ['AddPartitionsToTxn', 'answer'],
    ['AddOffsetsToTxn', 'answer'],
  ])('a lost %s (%s) changes nothing that is seen', async (api, on) => {
    const topic = await bench().topic();
    const groupId = name('group');
    const clientId = name('client');
    bench().fault({ api, on, action: 'cut', clientId });
    const writer = await bench().writer({ clientId });
    for (let i = 0; i < 3; i++) {
      writer.append(topic, 0, batch(`v${i}`));
      await writer.commit([offsetAt(topic, i + 1)], ungrouped(groupId));
    }
    expect(await bench().read(topic)).toEqual(['v0', 'v1', 'v2']);
    expect(await bench().committedOffset(groupId, topic)).toBe(3);
  });

  describe('a request that arrives after the next transaction began', () => {
    it('(Produce) writes nothing twice', async () => {
      const topic = await bench().topic();
      const clientId = name('client');
      const writer = await bench().writer({ clientId });
      await bench().committed(writer, topic, 'zero');
      const late = bench().fault({ api: 'Produce', on: 'request', action: 'hold', clientId });
      await bench().committed(writer, topic, 'one');
      expect(late.hits).toBe(1);
      writer.append(topic, 0, batch('two'));
      await writer.flush();
      late.release();
      await bench().sleep(300);
      await writer.commit([], null);
      await bench().committed(writer, topic, 'three');
      expect(await bench().read(topic)).toEqual(['zero', 'one', 'two', 'three']);
    });

    it('(EndTxn) never decides that transaction (KAFKA-17754)', async () => {
      const topic = await bench().topic();
      const clientId = name('client');
      const writer = await bench().writer({ clientId });
      const late = bench().fault({ api: 'EndTxn', on: 'request', action: 'hold', clientId });
      await bench().committed(writer, topic, 'one');
      expect(late.hits).toBe(1);
      writer.append(topic, 0, batch('two'));
      await writer.flush();
      late.release();
      await bench().sleep(300);
      await writer.abort();
      await bench().committed(writer, topic, 'three');
      expect(await bench().read(topic)).toEqual(['one', 'three']);
    });

    it('(TxnOffsetCommit) never moves an offset back', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const clientId = name('client');
      const writer = await bench().writer({ clientId });
      const late = bench().fault({ api: 'TxnOffsetCommit', on: 'request', action: 'hold', clientId });
      await writer.commit([offsetAt(topic, 1)], ungrouped(groupId));
      expect(late.hits).toBe(1);
      await writer.commit([offsetAt(topic, 2)], ungrouped(groupId));
      late.release();
      await bench().sleep(300);
      await writer.commit([offsetAt(topic, 3)], ungrouped(groupId)).catch(() => writer.initialise());
      expect(await bench().committedOffset(groupId, topic)).toBeGreaterThanOrEqual(2);
    });
  });

  it.each<ApiName>(['Produce', 'TxnOffsetCommit', 'EndTxn'])(
    'an answer to %s that comes after the next transaction began changes nothing',
    async (api) => {
      const topic = await bench().topic();
      const groupId = name('group');
      const clientId = name('client');
      const writer = await bench().writer({ clientId });
      const late = bench().fault({ api, on: 'answer', action: 'hold', clientId });
      writer.append(topic, 0, batch('one'));
      await writer.commit([offsetAt(topic, 1)], ungrouped(groupId));
      writer.append(topic, 0, batch('two'));
      await writer.flush();
      late.release();
      await bench().sleep(200);
      await writer.commit([offsetAt(topic, 2)], ungrouped(groupId));
      expect(await bench().read(topic)).toEqual(['one', 'two']);
      expect(await bench().committedOffset(groupId, topic)).toBe(2);
    },
  );

  describe('a commit of unknown outcome', () => {
    it('that had been decided is found completed after initialise, by the metadata of the offsets', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const clientId = name('client');
      const writer = await bench().writer({ clientId, deadlineMs: 3_000 });
      const fault = bench().fault({ api: 'EndTxn', on: 'answer', action: 'cut', times: Infinity, clientId });
      writer.append(topic, 0, batch('kept'));
      expect(await errorOf(writer.commit([offsetAt(topic, 5)], ungrouped(groupId)))).toBeInstanceOf(
        EpochAbortedError,
      );
      expect(writer.state).toBe('FAILED');
      fault.remove();
      await writer.initialise();
      const offsets = await bench().client.admin.committedOffsets(groupId, [{ topic, partition: 0 }]);
      expect(offsets.get(`${topic}-0`)).toMatchObject({ offset: 5, metadata: 'at 5' });
      expect(await bench().read(topic)).toEqual(['kept']);
    });

    it('that never arrived is found aborted after initialise', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const clientId = name('client');
      const writer = await bench().writer({ clientId, deadlineMs: 3_000 });
      const fault = bench().fault({ api: 'EndTxn', on: 'request', action: 'cut', times: Infinity, clientId });
      writer.append(topic, 0, batch('lost'));
      expect(await errorOf(writer.commit([offsetAt(topic, 5)], ungrouped(groupId)))).toBeInstanceOf(
        EpochAbortedError,
      );
      fault.remove();
      await writer.initialise();
      expect(await bench().committedOffset(groupId, topic)).toBeUndefined();
      await bench().committed(writer, topic, 'next');
      expect(await bench().read(topic)).toEqual(['next']);
    });
  });

  describe('initialise in a transaction', () => {
    it('abandons it: only what is written again is seen', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      const writer = await bench().writer();
      writer.append(topic, 0, batch('first copy'));
      await writer.flush();
      writer.append(topic, 0, batch('first copy, perhaps on its way'));
      await writer.initialise();
      writer.append(topic, 0, batch('second copy'));
      await writer.commit([offsetAt(topic, 1)], ungrouped(groupId));
      expect(await bench().read(topic)).toEqual(['second copy']);
      expect(await bench().committedOffset(groupId, topic)).toBe(1);
    });

    it('abandons a commit that has sent its offsets, and one whose end was not heard', async () => {
      const topic = await bench().topic();
      const groupId = name('group');
      for (const api of ['TxnOffsetCommit', 'EndTxn'] as const) {
        const clientId = name('client');
        const writer = await bench().writer({ clientId });
        const held = bench().fault({
          api,
          on: api === 'EndTxn' ? 'request' : 'answer',
          action: api === 'EndTxn' ? 'cut' : 'hold',
          times: Infinity,
          clientId,
        });
        writer.append(topic, 0, batch(`abandoned in ${api}`));
        const commit = errorOf(writer.commit([offsetAt(topic, 9)], ungrouped(groupId)));
        await held.hit();
        const initialised = writer.initialise();
        expect(await commit).toBeInstanceOf(EpochAbortedError);
        held.remove();
        held.release();
        await initialised;
        await bench().committed(writer, topic, `after ${api}`);
      }
      expect(await bench().read(topic)).toEqual(['after TxnOffsetCommit', 'after EndTxn']);
      expect(await bench().committedOffset(groupId, topic)).toBeUndefined();
    });
  });

  it('a batch larger than the topic takes is refused with a code, and the writer goes on after initialise', async () => {
    const topic = await bench().topic(1, { 'max.message.bytes': '2000' });
    const writer = await bench().writer();
    writer.append(topic, 0, batch('x'.repeat(5_000)));
    const error = await errorOf(writer.commit([], null));
    expect(error).toBeInstanceOf(FatalError);
    expect(error).toMatchObject({ code: 'MILLRACE_RECORD_TOO_LARGE', context: { topic, partition: 0 } });
    await writer.initialise();
    await bench().committed(writer, topic, 'small');
    expect(await bench().read(topic)).toEqual(['small']);
  });

  it.each(['none', 'gzip', 'lz4', 'zstd'] as const)(
    'batches compressed with %s come back as they were',
    async (compression) => {
      const topic = await bench().topic();
      const writer = await bench().writer({ compression });
      const values = Array.from({ length: 200 }, (_, i) => `value ${i} ${'abc'.repeat(20)}`);
      writer.append(topic, 0, batch(...values));
      await writer.commit([], null);
      expect(await bench().read(topic)).toEqual(values);
    },
  );

  it('an idempotent writer writes once in spite of lost answers, outside any transaction', async () => {
    const topic = await bench().topic();
    const clientId = name('client');
    const writer = bench().newClient({ clientId }).createIdempotentWriter();
    bench().fault({ api: 'Produce', on: 'answer', action: 'cut', times: 2, clientId });
    writer.append(topic, 0, batch('a'));
    writer.append(topic, 0, batch('b'));
    const { endOffsets } = await writer.flush();
    expect(endOffsets.get(`${topic}-0`)).toBe(2);
    expect(await bench().read(topic)).toEqual(['a', 'b']);
  });
}
