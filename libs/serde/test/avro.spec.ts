import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SchemaPending, SchemaRegistryClient, Serdes, compileCodec } from '#libs/serde';
import type { Serde } from '#libs/serde';

const schema = {
  type: 'record',
  name: 'Payment',
  namespace: 'millrace.test',
  fields: [
    { name: 'account', type: 'string' },
    { name: 'cents', type: 'long' },
  ],
};
const newer = { ...schema, fields: [...schema.fields, { name: 'currency', type: 'string', default: 'CZK' }] };
const payment = { account: 'k1', cents: 1250 };

describe('Serdes.avro', () => {
  it("writes Avro's binary encoding and reads it back", () => {
    const serde = Serdes.avro<typeof payment>(schema);
    // A string is its length (zigzag) and bytes, a long is zigzag too: 1250 is 2500, 0xc4 0x13.
    expect(Buffer.from(serde.serialize(payment)).toString('hex')).toBe('046b31c413');
    const codec = compileCodec(serde);
    expect({ ...codec.fromBinary(codec.toBinary(payment), false) }).toEqual(payment);
  });

  it('is named by what it writes', () => {
    expect(Serdes.avro(schema).name).toBe(Serdes.avro({ ...schema, doc: 'a payment' }).name);
    expect(Serdes.avro(schema).name).not.toBe(Serdes.avro(newer).name);
  });

  it('refuses what does not fit, without showing it', () => {
    const codec = compileCodec(Serdes.avro<object>(schema));
    expect(() => codec.toBinary({ account: 'k1', cents: 's3cret' })).toThrow(
      /does not fit the schema at `cents`/,
    );
    expect(() => codec.toBinary({ account: 'k1', cents: 's3cret' })).not.toThrow(/s3cret/);
    for (const bytes of ['', '\u0004k', '\u0004k1\u00c4\u0013x']) {
      expect(() => codec.fromBinary(bytes as never, false)).toThrow(
        expect.objectContaining({ code: 'MILLRACE_DESERIALIZATION_FAILED' }),
      );
    }
    expect(() => Serdes.avro({ type: 'record' })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_CONFIG' }),
    );
  });
});

describe('SchemaRegistryClient', () => {
  let server: Server;
  let requests: string[];
  let schemas: Map<number, unknown>;
  let status: number;
  let host: string;

  /** A registry as far as these specs go: schemas by id, look-up and registration under any subject. */
  beforeEach(async () => {
    requests = [];
    schemas = new Map();
    status = 200;
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const path = `${request.method ?? ''} ${request.url ?? ''}`;
        requests.push(path);
        const answer = (code: number, data: unknown): void => {
          response.writeHead(code, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
          response.end(JSON.stringify(data));
        };
        if (status !== 200) return answer(status, { error_code: status, message: 'refused' });
        const byId = /^GET \/schemas\/ids\/(\d+)/.exec(path);
        if (byId !== null) {
          const found = schemas.get(Number(byId[1]));
          return found === undefined
            ? answer(404, { error_code: 40403, message: 'Schema not found' })
            : answer(200, { schema: JSON.stringify(found) });
        }
        if (path.startsWith('GET /subjects'))
          return answer(404, { error_code: 40401, message: 'Subject not found' });
        const text = (JSON.parse(body) as { schema: string }).schema;
        const id = [...schemas].find(([, each]) => JSON.stringify(each) === text)?.[0];
        if (/^POST \/subjects\/[^/]+\/versions/.test(path)) {
          schemas.set(99, JSON.parse(text));
          return answer(200, { id: 99 });
        }
        return id === undefined
          ? answer(404, { error_code: 40403, message: 'Schema not found' })
          : answer(200, { id, version: 1 });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** Runs as the runtime does: again after each SchemaPending. */
  async function settle<R>(
    serde: Serde<typeof payment>,
    use: (serde: Serde<typeof payment>) => R,
  ): Promise<R> {
    for (let attempts = 0; attempts < 5; attempts++) {
      try {
        return use(serde);
      } catch (error) {
        if (!(error instanceof SchemaPending)) throw error;
        await error.ready;
      }
    }
    throw new Error('still pending');
  }

  const make = (options: Partial<Parameters<SchemaRegistryClient['avro']>[0]>): Serde<typeof payment> =>
    new SchemaRegistryClient({ host }).avro({ subject: 'payments-value', ...options });

  it('asks once for a schema, and is synchronous from then on', async () => {
    schemas.set(7, schema);
    const serde = make({ schema });
    expect(() => serde.serialize(payment)).toThrow(SchemaPending);
    const bytes = await settle(serde, (each) => each.serialize(payment));
    expect(Buffer.from(bytes).toString('hex')).toBe('0000000007046b31c413');
    expect({ ...(await settle(serde, (each) => each.deserialize(bytes))) }).toEqual(payment);
    const asked = requests.length;
    expect(serde.serialize(payment)).toEqual(bytes);
    expect({ ...serde.deserialize(bytes) }).toEqual(payment);
    expect(requests).toHaveLength(asked);
  });

  it('reads what an older schema wrote into its own', async () => {
    schemas.set(7, schema);
    const bytes = Buffer.from('0000000007046b31c413', 'hex');
    expect({ ...(await settle(make({ schema: newer }), (each) => each.deserialize(bytes))) }).toEqual({
      ...payment,
      currency: 'CZK',
    });
    expect({ ...(await settle(make({}), (each) => each.deserialize(bytes))) }).toEqual(payment);
  });

  it('blames the record for an id nobody knows, a schema that does not fit, and bytes without an id', async () => {
    schemas.set(8, 'string');
    const serde = make({ schema });
    const refusal = { code: 'MILLRACE_DESERIALIZATION_FAILED' };
    await expect(
      settle(serde, (each) => each.deserialize(Buffer.from('0000000001046b31c413', 'hex'))),
    ).rejects.toMatchObject(refusal);
    await expect(
      settle(serde, (each) => each.deserialize(Buffer.from('0000000008046b31', 'hex'))),
    ).rejects.toMatchObject(refusal);
    await expect(settle(serde, (each) => each.deserialize(Buffer.from('{"a":1}')))).rejects.toMatchObject(
      refusal,
    );
  });

  it('does not blame the record when the registry is down, and asks again', async () => {
    schemas.set(7, schema);
    status = 503;
    const serde = make({ schema });
    const bytes = Buffer.from('0000000007046b31c413', 'hex');
    await expect(settle(serde, (each) => each.deserialize(bytes))).rejects.toMatchObject({
      name: 'RetriableError',
      code: 'MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE',
    });
    status = 200;
    expect({ ...(await settle(serde, (each) => each.deserialize(bytes))) }).toEqual(payment);
    status = 401;
    await expect(settle(make({ schema }), (each) => each.deserialize(bytes))).rejects.toMatchObject({
      code: 'MILLRACE_AUTHENTICATION_FAILED',
    });
  });

  it('registers its schema only when told to', async () => {
    await expect(settle(make({ schema }), (each) => each.serialize(payment))).rejects.toMatchObject({
      code: 'MILLRACE_SCHEMA_MISSING',
      message: expect.stringContaining('does not have the schema'),
    });
    expect(requests.some((request) => request.startsWith('POST') && request.includes('/versions'))).toBe(
      false,
    );
    const bytes = await settle(make({ schema, register: true }), (each) => each.serialize(payment));
    expect(Buffer.from(bytes).readInt32BE(1)).toBe(99);
    expect(() => make({}).serialize(payment)).toThrow(/can only read/);
  });
});
