// Specifies publishing outside of a topology, on a simulated cluster.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordProducer, Serdes, SimulatedKafka, readTopic } from '#libs/millrace';
import type { TopicRecord } from '#libs/millrace';

const text = Serdes.string();
const serdes = { keySerde: text, valueSerde: text };

let kafka: SimulatedKafka;
let producer: RecordProducer;

beforeEach(() => {
  kafka = new SimulatedKafka();
  kafka.createTopic('a', 3);
  kafka.createTopic('b', 1);
  producer = new RecordProducer({ kafka });
});
afterEach(() => producer.close());

async function read(topic: string): Promise<TopicRecord<string, string>[]> {
  const records: TopicRecord<string, string>[] = [];
  for await (const record of readTopic({ kafka, topic, ...serdes })) records.push(record);
  return records;
}

const record = (key: string | null, value: string | null): { key: string | null; value: string | null } => ({
  key,
  value,
});

describe('send', () => {
  it('writes keys to their partitions, in order, with tombstones, times and headers', async () => {
    kafka.publish('a', [{ key: 'k', value: 'by another client' }]);
    await producer.send({
      topic: 'a',
      ...serdes,
      records: [
        { ...record('k', '1'), timestamp: 5, headers: [{ key: 'trace', value: Buffer.from('x') }] },
        record('k', null),
        { ...record('k', 'elsewhere'), partition: 0 },
      ],
    });
    const records = await read('a');
    const [first] = records.filter(({ value }) => value === 'by another client');
    const ofKey = records.filter(
      ({ partition, value }) => partition === first!.partition && value !== 'elsewhere',
    );
    expect(ofKey.map(({ value }) => value)).toEqual(['by another client', '1', null]);
    expect(ofKey[1]).toMatchObject({ timestamp: 5 });
    expect(records.find(({ value }) => value === 'elsewhere')).toMatchObject({ partition: 0 });
  });

  it('takes turns over the partitions for records without a key', async () => {
    for (let call = 0; call < 3; call++) {
      await producer.send({
        topic: 'a',
        ...serdes,
        records: [record(null, `${call}`), record(null, `${call}`)],
      });
    }
    const partitions = new Map((await read('a')).map(({ value, partition }) => [value, partition]));
    expect([...partitions.values()].sort()).toEqual([0, 1, 2]);
    expect(await read('a')).toHaveLength(6);
  });

  it('lets calls travel together, each record once and in the order of the calls', async () => {
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        producer.send({ topic: 'b', ...serdes, records: [record('k', `${index}`)] }),
      ),
    );
    expect((await read('b')).map(({ value }) => value)).toEqual(
      Array.from({ length: 50 }, (_, index) => `${index}`),
    );
  });

  it.each([
    ['a topic that is not there', 'nowhere', record('k', 'v'), /nowhere/],
    ['a record that is too large', 'b', record('k', 'x'.repeat(2 ** 20)), /MILLRACE_RECORD_TOO_LARGE/],
    ['a partition that is not there', 'b', { ...record('k', 'v'), partition: 1 }, /has no partition 1/],
    ['what its serde does not take', 'b', record('k', 7 as never), /MILLRACE_SERIALIZATION_FAILED|string/],
  ])(
    'refuses %s, and writes nothing of the call',
    async (_what, topic, bad, message) => {
      const refused = producer.send({ topic, ...serdes, records: [record('k', 'good'), bad] });
      await expect(refused).rejects.toThrow(message);
      expect(await read('b')).toEqual([]);
    },
    20_000,
  );
});

describe('a transaction', () => {
  it('is seen whole once it is committed', async () => {
    const result = await producer.transaction(async ({ send }) => {
      await send({ topic: 'a', ...serdes, records: [record('k', '1')] });
      // Not awaited: it belongs to the transaction all the same.
      void send({ topic: 'b', ...serdes, records: [record('k', '2')] });
      expect(await Promise.race([read('b'), Promise.resolve('not seen')])).toBe('not seen');
      return 42;
    });
    expect(result).toBe(42);
    expect([await read('a'), await read('b')].flat().map(({ value }) => value)).toEqual(['1', '2']);
  });

  it('is not seen at all when its work fails, and the next one is', async () => {
    await expect(
      producer.transaction(async ({ send }) => {
        await send({ topic: 'b', ...serdes, records: [record('k', 'lost')] });
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    await producer.transaction(({ send }) => send({ topic: 'b', ...serdes, records: [record('k', 'kept')] }));
    expect((await read('b')).map(({ value }) => value)).toEqual(['kept']);
  });

  it('comes after the one before it', async () => {
    const order: string[] = [];
    const slow = producer.transaction(async ({ send }) => {
      await send({ topic: 'b', ...serdes, records: [record('k', '1')] });
      await new Promise((resolve) => setImmediate(resolve));
      order.push('first');
    });
    const next = producer.transaction(() => void order.push('second'));
    await Promise.all([slow, next]);
    expect(order).toEqual(['first', 'second']);
  });

  it('takes nothing once it is over', async () => {
    let kept: Parameters<Parameters<RecordProducer['transaction']>[0]>[0] | null = null;
    await producer.transaction((transaction) => void (kept = transaction));
    await expect(kept!.send({ topic: 'b', ...serdes, records: [record('k', 'late')] })).rejects.toMatchObject(
      {
        code: 'MILLRACE_ILLEGAL_STATE',
      },
    );
  });

  it('of a producer whose id another one took says so', async () => {
    const [first, second] = [1, 2].map(() => new RecordProducer({ kafka, transactionalId: 'same' }));
    const write =
      (value: string) =>
      ({ send }: { send: RecordProducer['send'] }) =>
        send({ topic: 'b', ...serdes, records: [record('k', value)] });
    await first!.transaction(write('1'));
    await second!.transaction(write('2'));
    await expect(first!.transaction(write('3'))).rejects.toMatchObject({ code: 'MILLRACE_PRODUCER_FENCED' });
    await expect(first!.transaction(write('4'))).rejects.toMatchObject({ code: 'MILLRACE_PRODUCER_FENCED' });
    await second!.transaction(write('5'));
    expect((await read('b')).map(({ value }) => value)).toEqual(['1', '2', '5']);
    await Promise.all([first!.close(), second!.close()]);
  });
});

describe('a closed producer', () => {
  it('has sent what it was given, and takes no more', async () => {
    const sent = producer.send({ topic: 'b', ...serdes, records: [record('k', 'v')] });
    await sent;
    await producer.close();
    await producer.close();
    await expect(producer.send({ topic: 'b', ...serdes, records: [record('k', 'v')] })).rejects.toMatchObject(
      {
        code: 'MILLRACE_ILLEGAL_STATE',
      },
    );
    expect(await read('b')).toHaveLength(1);
  });
});
