// The contract of the reader: what is delivered, how far the position goes, what stops it.
import { describe, expect, it } from '@jest/globals';
import { batch, errorOf, keyed } from './bench.ts';
import type { Bench } from './bench.ts';

export function readerContract(bench: () => Bench): void {
  const name = (prefix: string): string => bench().environment.uniqueName(prefix);
  const endOf = async (topic: string): Promise<number> => {
    const ends = await bench().client.admin.offsets([{ topic, partition: 0 }], 'latest', 'read_uncommitted');
    return ends.get(`${topic}-0`)!;
  };

  describe('under read_committed', () => {
    it('aborted records are not delivered although their marker comes with a later fetch', async () => {
      const topic = await bench().topic();
      const writer = await bench().writer();
      const large = 'x'.repeat(200_000);
      for (let i = 0; i < 6; i++) writer.append(topic, 0, batch(`${i}${large}`));
      await writer.flush();
      await writer.abort();
      await bench().committed(writer, topic, 'kept');
      const reader = bench().client.createReader({
        isolation: 'read_committed',
        partitionMaxBytes: 64 * 1024,
        fetchMaxBytes: 64 * 1024,
        maxBufferedBytes: 1,
      });
      reader.assign(topic, 0, 0);
      expect(await bench().drain(reader, topic, 0, await endOf(topic))).toEqual(['kept']);
      await reader.close();
    });

    it('interleaved transactions are told apart', async () => {
      const topic = await bench().topic();
      const [one, two] = [await bench().writer(), await bench().writer()];
      for (let i = 0; i < 5; i++) {
        one.append(topic, 0, batch(`one ${i}`));
        await one.flush();
        two.append(topic, 0, batch(`two ${i}`));
        await two.flush();
      }
      await one.abort();
      await two.commit([], null);
      one.append(topic, 0, batch('one again'));
      await one.commit([], null);
      expect(await bench().read(topic)).toEqual(['two 0', 'two 1', 'two 2', 'two 3', 'two 4', 'one again']);
    });

    it('keys of four zero bytes are data: delivered when committed, left out when aborted', async () => {
      const topic = await bench().topic();
      const writer = await bench().writer();
      writer.append(topic, 0, keyed('\0\0\0\0', 'aborted 1'));
      writer.append(topic, 0, keyed('\0\0\0\0', 'aborted 2'));
      await writer.flush();
      await writer.abort();
      writer.append(topic, 0, keyed('\0\0\0\0', 'kept 1'));
      writer.append(topic, 0, keyed('\0\0\0\x01', 'kept 2'));
      await writer.commit([], null);
      expect(await bench().read(topic)).toEqual(['kept 1', 'kept 2']);
    });

    it('an open transaction is hidden, and shown once it commits, with what came behind it', async () => {
      const topic = await bench().topic();
      const open = await bench().writer();
      const other = await bench().writer();
      open.append(topic, 0, batch('open'));
      await open.flush();
      await bench().committed(other, topic, 'behind');
      const reader = bench().client.createReader({ isolation: 'read_committed', fetchMaxWaitMs: 50 });
      reader.assign(topic, 0, 0);
      await reader.waitForChunk(500);
      expect(reader.take()).toBeUndefined();
      expect(reader.endOffsets(topic, 0)).toMatchObject({ lastStableOffset: 0 });
      expect(reader.endOffsets(topic, 0).highWatermark).toBeGreaterThanOrEqual(2);
      await open.commit([], null);
      expect(await bench().drain(reader, topic, 0, await endOf(topic))).toEqual(['open', 'behind']);
      await reader.close();
    });

    it('the position goes to the end of the log although nothing is delivered', async () => {
      const topic = await bench().topic();
      const writer = await bench().writer();
      writer.append(topic, 0, batch('aborted'));
      await writer.flush();
      await writer.abort();
      // The marker is written after EndTxn was answered.
      expect(await bench().readTo(topic, 0, 2, 'read_committed')).toEqual([]);
    });

    it('a restore to the uncommitted end gets all that commits, although its markers came late (KAFKA-10167)', async () => {
      const topic = await bench().topic();
      const clientId = name('client');
      const writer = await bench().writer({ clientId });
      await bench().committed(writer, topic, 'first');
      const held = bench().fault({ api: 'EndTxn', on: 'request', action: 'hold', clientId, times: Infinity });
      writer.append(topic, 0, batch('second'));
      const commit = writer.commit([], null);
      await held.hit();
      const stable = await bench().client.admin.offsets(
        [{ topic, partition: 0 }],
        'latest',
        'read_committed',
      );
      const target = await endOf(topic);
      // The last stable offset would end the restore too early.
      expect(stable.get(`${topic}-0`)!).toBeLessThan(target);
      const restored = bench().readTo(topic, 0, target, 'read_committed');
      await bench().sleep(300);
      held.remove();
      held.release();
      await commit;
      expect(await restored).toEqual(['first', 'second']);
    });
  });

  it('read_uncommitted shows open and aborted records, never markers', async () => {
    const topic = await bench().topic();
    const writer = await bench().writer();
    writer.append(topic, 0, batch('aborted'));
    await writer.flush();
    await writer.abort();
    writer.append(topic, 0, batch('open'));
    await writer.flush();
    expect(await bench().read(topic, 0, 'read_uncommitted')).toEqual(['aborted', 'open']);
    await writer.abort();
  });

  it.each(['request', 'answer'] as const)('lost fetches (%s) skip and repeat nothing', async (on) => {
    const topic = await bench().topic();
    const writer = await bench().writer();
    const values: string[] = [];
    for (let i = 0; i < 30; i++) {
      values.push(`v${i}`);
      await bench().committed(writer, topic, `v${i}`);
    }
    const clientId = name('client');
    bench().fault({ api: 'Fetch', on, action: 'cut', clientId, skip: 1, times: 3 });
    const reader = bench().newClient({ clientId }).createReader({
      isolation: 'read_committed',
      partitionMaxBytes: 300,
      fetchMaxWaitMs: 50,
      maxBufferedBytes: 1,
    });
    reader.assign(topic, 0, 0);
    expect(await bench().drain(reader, topic, 0, await endOf(topic))).toEqual(values);
    await reader.close();
  });

  it('reading starts at any offset, also within a batch', async () => {
    const topic = await bench().topic();
    const writer = await bench().writer();
    await bench().committed(writer, topic, 'a', 'b', 'c', 'd');
    const reader = bench().client.createReader({ isolation: 'read_committed' });
    reader.assign(topic, 0, 2);
    expect(await bench().drain(reader, topic, 0, 4)).toEqual(['c', 'd']);
    await reader.close();
  });

  it('several partitions are read side by side, added and dropped while reading', async () => {
    const topic = await bench().topic(3);
    const writer = await bench().writer();
    for (let partition = 0; partition < 3; partition++) {
      for (let i = 0; i < 5; i++) writer.append(topic, partition, batch(`${partition}.${i}`));
    }
    await writer.commit([], null);
    const reader = bench().client.createReader({ isolation: 'read_committed', fetchMaxWaitMs: 50 });
    reader.assign(topic, 0, 0);
    expect(await bench().drain(reader, topic, 0, 5)).toHaveLength(5);
    reader.assign(topic, 1, 0);
    reader.unassign(topic, 0);
    expect(await bench().drain(reader, topic, 1, 5)).toEqual(['1.0', '1.1', '1.2', '1.3', '1.4']);
    reader.assign(topic, 2, 3);
    expect(await bench().drain(reader, topic, 2, 5)).toEqual(['2.3', '2.4']);
    await reader.close();
  });

  it('pausing, resuming and moving never put records out of order, and none is skipped or repeated', async () => {
    const topic = await bench().topic(2);
    const writer = await bench().writer();
    const values: string[] = [];
    for (let i = 0; i < 60; i++) {
      values.push(`v${i}`);
      for (let partition = 0; partition < 2; partition++) writer.append(topic, partition, batch(`v${i}`));
    }
    await writer.commit([], null);
    const reader = bench().client.createReader({
      isolation: 'read_committed',
      partitionMaxBytes: 200,
      fetchMaxWaitMs: 20,
      maxBufferedBytes: 2_000,
    });
    for (let partition = 0; partition < 2; partition++) reader.assign(topic, partition, 0);
    const taken: string[] = [];
    for (let end = 7; end < 60; end += 7) {
      taken.push(...(await bench().drain(reader, topic, 0, end)));
      reader.pause(topic, 0);
      await bench().sleep(10);
      if (end === 28) reader.assign(topic, 0, reader.position(topic, 0));
      reader.resume(topic, 0);
    }
    taken.push(...(await bench().drain(reader, topic, 0, 60)));
    expect(taken).toEqual(values);
    await reader.close();
  });

  describe('an offset that does not exist', () => {
    it('behind the end stops reading with a code', async () => {
      const topic = await bench().topic();
      const reader = bench().client.createReader({ isolation: 'read_committed' });
      reader.assign(topic, 0, 50);
      const error = await errorOf(bench().drain(reader, topic, 0, 51));
      expect(error).toMatchObject({
        code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
        context: { topic, partition: 0, offset: 50 },
      });
      await reader.close();
    });

    it('below what was deleted stops reading with a code, and skips nothing', async () => {
      const topic = await bench().topic();
      const writer = await bench().writer();
      await bench().committed(writer, topic, 'a', 'b', 'c');
      await bench().client.admin.deleteRecords([{ topic, partition: 0, offset: 2 }]);
      const reader = bench().client.createReader({ isolation: 'read_committed' });
      reader.assign(topic, 0, 0);
      expect(await errorOf(bench().drain(reader, topic, 0, 3))).toMatchObject({
        code: 'MILLRACE_OFFSET_OUT_OF_RANGE',
      });
      reader.assign(topic, 0, 2);
      expect(await bench().drain(reader, topic, 0, 3)).toEqual(['c']);
      await reader.close();
    });
  });
}
