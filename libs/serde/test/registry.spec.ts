import { describe, expect, it } from '@jest/globals';
import {
  SchemaRegistryClient,
  SchemaPending,
  WindowedSerdes,
  compileCodec,
  prepareSerdes,
} from '#libs/serde';
import type { Serde, SerdeUse } from '#libs/serde';

const user = {
  type: 'record',
  name: 'User',
  namespace: 'millrace.test',
  fields: [{ name: 'name', type: 'string' }],
};
const withAge = (age: object): typeof user => ({
  ...user,
  fields: [...user.fields, { name: 'age', type: 'int', ...age }],
});

let registries = 0;
const memory = (options: object = {}): SchemaRegistryClient =>
  new SchemaRegistryClient({ host: `memory://spec-${++registries}`, ...options });

const use = (topic: string | null, given: Partial<SerdeUse> = {}): SerdeUse => ({
  topic,
  part: 'value',
  reads: true,
  writes: true,
  kind: 'external',
  ...given,
});

const id = (bytes: Uint8Array): number => Buffer.from(bytes).readInt32BE(1);
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Serdes of one registry that are other clients' as far as they know. */
function clients(options: object = {}): () => SchemaRegistryClient {
  const host = `memory://spec-${++registries}`;
  return () => new SchemaRegistryClient({ host, ...options });
}

describe('a serde of a registry', () => {
  it('writes without waiting once it is prepared', async () => {
    const serde = memory().avro<{ name: string }>({ schema: user });
    await serde.prepare!([use('users')]);
    const bytes = serde.serialize({ name: 'ann' });
    expect(Buffer.from(bytes).toString('hex')).toBe('000000000106616e6e');
    expect(plain(serde.deserialize(bytes))).toEqual({ name: 'ann' });
    const codec = compileCodec(serde);
    expect(plain(codec.fromBinary(codec.toBinary({ name: 'bob' }), false))).toEqual({ name: 'bob' });
  });

  it('writes into a batch, and says so when there is too little room', async () => {
    const serde = memory().avro<{ name: string }>({ schema: user });
    await serde.prepare!([use('users')]);
    const { writeTo, decodeRange } = compileCodec(serde);
    const whole = Buffer.from(serde.serialize({ name: 'žluťoučký' }));
    for (let room = 0; room < whole.length + 3; room++) {
      const bytes = Buffer.alloc(2 + room);
      const end = writeTo!({ name: 'žluťoučký' }, bytes, 2);
      expect(end).toBe(room < whole.length ? -1 : 2 + whole.length);
      if (end < 0) continue;
      expect(bytes.subarray(2, end).equals(whole)).toBe(true);
      expect(plain(decodeRange!(bytes.toString('latin1'), 2, end, bytes))).toEqual({ name: 'žluťoučký' });
      expect(plain(decodeRange!(bytes.toString('latin1'), 2, end))).toEqual({ name: 'žluťoučký' });
    }
  });

  it('grows for large values', async () => {
    const serde = memory().avro<{ name: string }>({ schema: user });
    await serde.prepare!([use('users')]);
    const name = 'x'.repeat(6_000_000);
    expect(serde.deserialize(serde.serialize({ name })).name).toBe(name);
  });

  it('names subjects by topic, by record, by both, by a function, or has one; internal ones are by topic', async () => {
    const own = { schema: user };
    const cases: [object, string][] = [
      [{}, 'users-value'],
      [{ subjectName: 'record' }, 'millrace.test.User'],
      [{ subjectName: 'topicRecord' }, 'users-millrace.test.User'],
      [
        { subjectName: (topic: string, part: string, record: string) => `${record}/${part}/${topic}` },
        'millrace.test.User/value/users',
      ],
      [{ subject: 'people' }, 'people'],
    ];
    for (const [options, subject] of cases) {
      const client = clients();
      await client().avro({ ...own, ...options }).prepare!([
        use('users'),
        use('app-s-changelog', { kind: 'changelog' }),
      ]);
      const asked = (name: string): Promise<void> =>
        client().avro({ ...own, subject: name, register: false }).prepare!([use('any')]);
      await expect(asked(subject)).resolves.toBeUndefined();
      await expect(asked('app-s-changelog-value')).resolves.toBeUndefined();
      await expect(asked('other')).rejects.toMatchObject({ code: 'MILLRACE_SCHEMA_MISSING' });
    }
  });

  it('refuses at once what a topic chosen record by record leaves open', async () => {
    await expect(memory().avro({ schema: user }).prepare!([use(null)])).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_CONFIG',
    });
    await expect(
      memory().avro({ schema: user, subjectName: 'record' }).prepare!([use(null)]),
    ).resolves.toBeUndefined();
    await expect(memory().avro().prepare!([use('users')])).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_CONFIG',
      message: expect.stringContaining('without a schema'),
    });
  });

  it('registers internal topics by itself and other topics only when told to', async () => {
    const serde = memory({ register: 'internal' }).avro({ schema: user });
    await serde.prepare!([use('app-x-repartition', { kind: 'repartition' })]);
    await expect(serde.prepare!([use('users')])).rejects.toMatchObject({
      code: 'MILLRACE_SCHEMA_MISSING',
      context: { subject: 'users-value', latest: null },
    });
  });

  it('registers nothing when one subject of several is refused', async () => {
    const client = clients();
    await client().avro({ schema: user }).prepare!([use('b')]);
    const next = client().avro({ schema: withAge({}) });
    await expect(next.prepare!([use('a'), use('b')])).rejects.toMatchObject({
      code: 'MILLRACE_SCHEMA_INCOMPATIBLE',
    });
    await expect(
      client().avro({ schema: withAge({}), register: false }).prepare!([use('a')]),
    ).rejects.toMatchObject({
      code: 'MILLRACE_SCHEMA_MISSING',
    });
  });

  it('names subject, version and reason of a change that does not fit', async () => {
    const client = clients();
    await client().avro({ schema: user }).prepare!([use('users')]);
    await client().avro({ schema: withAge({ default: 0 }) }).prepare!([use('users')]);
    const broken = { ...user, fields: [{ name: 'name', type: 'int' }] };
    await expect(
      client().avro({ schema: broken }).prepare!([use('users', { reads: false })]),
    ).rejects.toMatchObject({
      name: 'FatalError',
      code: 'MILLRACE_SCHEMA_INCOMPATIBLE',
      context: { subject: 'users-value', version: 2, reason: expect.stringContaining('cannot read') },
    });
  });

  it('reads what older and newer versions wrote', async () => {
    const client = clients();
    const old = client().avro<object>({ schema: user });
    const now = client().avro<object>({ schema: withAge({ default: 7 }) });
    await old.prepare!([use('users')]);
    await now.prepare!([use('users')]);
    expect(plain(now.deserialize(old.serialize({ name: 'ann' })))).toEqual({ name: 'ann', age: 7 });
    const newer = now.serialize({ name: 'bob', age: 1 });
    expect(() => old.deserialize(newer)).toThrow(SchemaPending);
    await new Promise(setImmediate);
    expect(plain(old.deserialize(newer))).toEqual({ name: 'bob' });
  });

  it('reads a renamed field by its alias', async () => {
    const client = clients();
    const old = client().avro<object>({ schema: user });
    const renamed = { ...user, fields: [{ name: 'fullName', aliases: ['name'], type: 'string' }] };
    const now = client().avro<object>({ schema: renamed });
    await old.prepare!([use('users')]);
    await now.prepare!([use('users')]);
    expect(plain(now.deserialize(old.serialize({ name: 'ann' })))).toEqual({ fullName: 'ann' });
  });

  it('holds state to what every version wrote, whatever rule the registry has', async () => {
    const client = clients();
    const changelog = use('app-s-changelog', { kind: 'changelog' });
    const ages = [
      withAge({ type: ['null', 'int'], default: null }),
      user,
      withAge({ type: 'int', default: 1 }),
    ];
    await client().avro({ schema: ages[0]! }).prepare!([changelog]);
    await client().avro({ schema: ages[1]! }).prepare!([changelog]);
    // It goes with the last version, but not with the first, of which there may be rows.
    await expect(client().avro({ schema: ages[2]! }).prepare!([changelog])).rejects.toMatchObject({
      code: 'MILLRACE_SCHEMA_INCOMPATIBLE',
      context: { subject: 'app-s-changelog-value', version: 1 },
    });
    await expect(
      client().avro({ schema: ages[2]!, subject: 'x' }).prepare!([use('x')]),
    ).resolves.toBeUndefined();
  });

  it('refuses another schema for the keys of a store, which are found by their bytes', async () => {
    const client = clients();
    const keys = use('app-s-changelog', { kind: 'changelog', part: 'key' });
    await client().avro({ schema: user }).prepare!([keys]);
    await expect(client().avro({ schema: user }).prepare!([keys])).resolves.toBeUndefined();
    await expect(client().avro({ schema: withAge({ default: 0 }) }).prepare!([keys])).rejects.toMatchObject({
      code: 'MILLRACE_SCHEMA_INCOMPATIBLE',
      message: expect.stringContaining('found by their bytes'),
    });
  });

  it('is prepared inside the serdes made of it', async () => {
    const client = clients();
    const serde = client().avro<object>({ schema: user });
    const windowed = WindowedSerdes.sessionWindowed(serde) as Serde<unknown>;
    await prepareSerdes([[windowed, use('app-s-changelog', { kind: 'changelog', part: 'key' })]]);
    expect(id(serde.serialize({ name: 'ann' }))).toBe(1);
    await expect(
      client().avro({ schema: user, register: false }).prepare!([use('app-s-changelog', { part: 'key' })]),
    ).resolves.toBeUndefined();
  });

  it('reads anything of the registry without a schema of its own', async () => {
    const client = clients();
    const writer = client().avro<object>({ schema: user });
    await writer.prepare!([use('users')]);
    const reader = client().avro<object>();
    const bytes = writer.serialize({ name: 'ann' });
    expect(() => reader.deserialize(bytes)).toThrow(SchemaPending);
    await new Promise(setImmediate);
    expect(plain(reader.deserialize(bytes))).toEqual({ name: 'ann' });
  });

  it('names schemas of other subjects', async () => {
    const client = clients();
    const address = {
      type: 'record',
      name: 'Address',
      namespace: 'millrace.test',
      fields: [{ name: 'city', type: 'string' }],
    };
    const person = { ...user, fields: [...user.fields, { name: 'home', type: 'millrace.test.Address' }] };
    const references = [{ name: 'millrace.test.Address', subject: 'address', schema: address }];
    const ann = { name: 'ann', home: { city: 'Brno' } };
    const writer = client().avro<object>({ schema: person, references });
    await writer.prepare!([use('people')]);
    const reader = client().avro<object>();
    const bytes = writer.serialize(ann);
    expect(() => reader.deserialize(bytes)).toThrow(SchemaPending);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(plain(reader.deserialize(bytes))).toEqual(ann);
    expect(plain(writer.deserialize(bytes))).toEqual(ann);
  });

  it('asks again for an id that nobody knew', async () => {
    const client = clients();
    const reader = client().avro<object>();
    const bytes = Buffer.from('000000000106616e6e', 'hex');
    expect(() => reader.deserialize(bytes)).toThrow(SchemaPending);
    await new Promise(setImmediate);
    expect(() => reader.deserialize(bytes)).toThrow(/schema 1 is not in/);
    await client().avro({ schema: user }).prepare!([use('users')]);
    expect(() => reader.deserialize(bytes)).toThrow(SchemaPending);
    await new Promise(setImmediate);
    expect(plain(reader.deserialize(bytes))).toEqual({ name: 'ann' });
  });

  it('refuses a host that is no URL, and never shows a password in it', () => {
    expect(() => new SchemaRegistryClient({ host: 'registry:8081' })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_CONFIG' }),
    );
    for (const host of [
      'http://u:p@ss@registry:8081',
      'http://u@registry',
      'http://registry?token=p',
      'http://',
    ]) {
      const refusal = (): unknown => new SchemaRegistryClient({ host });
      expect(refusal).toThrow(expect.objectContaining({ code: 'MILLRACE_INVALID_CONFIG' }));
      expect(refusal).not.toThrow(/p@ss|token=p/);
    }
    expect(new SchemaRegistryClient({ host: 'http://registry:8081/apis' }).host).toBe(
      'http://registry:8081/apis',
    );
  });
});

describe('JSON Schema', () => {
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'User',
    type: 'object',
    properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 } },
    required: ['name'],
  };

  it('is checked when written and when read', async () => {
    const serde = memory().json<object>({ schema });
    await serde.prepare!([use('users')]);
    const bytes = serde.serialize({ name: 'žena', age: 3 });
    expect(Buffer.from(bytes).subarray(5).toString()).toBe('{"name":"žena","age":3}');
    expect(serde.deserialize(bytes)).toEqual({ name: 'žena', age: 3 });
    expect(() => serde.serialize({ name: 's3cret', age: -1 })).toThrow(/at `\/age` \(must be >= 0\)/);
    expect(() => serde.serialize({ name: 5 })).not.toThrow(/s3cret/);
    const bad = Buffer.concat([bytes.subarray(0, 5), Buffer.from('{"age":"s3cret"}')]);
    expect(() => serde.deserialize(bad)).toThrow(
      expect.objectContaining({ code: 'MILLRACE_DESERIALIZATION_FAILED' }),
    );
    const proto = Buffer.concat([bytes.subarray(0, 5), Buffer.from('{"name":"a","__proto__":{}}')]);
    expect(() => serde.deserialize(proto)).toThrow(/__proto__/);
  });

  it('takes the drafts apart by $schema', async () => {
    for (const draft of ['2019-09', '2020-12']) {
      const serde = memory().json<object>({
        schema: { ...schema, $schema: `https://json-schema.org/draft/${draft}/schema` },
      });
      await serde.prepare!([use('users')]);
      expect(serde.deserialize(serde.serialize({ name: 'ann' }))).toEqual({ name: 'ann' });
    }
    expect(() => memory().json({ schema: { type: 'nothing' } })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_CONFIG' }),
    );
  });
});

describe('Protobuf', () => {
  const schema = `syntax = "proto3"; package millrace.test;
    import "google/protobuf/timestamp.proto";
    message Other { string x = 1; message Inner { int32 y = 1; } }
    message User { string full_name = 1; int64 visits = 2; repeated bytes parts = 3; google.protobuf.Timestamp seen = 4; }`;

  it('writes the place of the message in its file before the message, as Confluent does', async () => {
    const inner = memory().protobuf<object>({ schema, message: 'Inner' });
    await inner.prepare!([use('x')]);
    // Two indexes, 0 and 0, in zigzag; then field 1, varint 5.
    expect(Buffer.from(inner.serialize({ y: 5 })).toString('hex')).toBe('0000000001' + '040000' + '0805');
    const first = memory().protobuf<object>({ schema });
    await first.prepare!([use('x')]);
    expect(Buffer.from(first.serialize({ x: 'a' })).toString('hex')).toBe('0000000001' + '00' + '0a0161');
    const user = memory().protobuf<object>({ schema, message: 'millrace.test.User' });
    await user.prepare!([use('x')]);
    expect(Buffer.from(user.serialize({ fullName: 'a' })).toString('hex')).toBe(
      '0000000001' + '0202' + '0a0161',
    );
  });

  it('gives back what was written, as plain objects', async () => {
    const serde = memory().protobuf<object>({ schema, message: 'User' });
    await serde.prepare!([use('users')]);
    const value = {
      fullName: 'ann',
      visits: Number.MAX_SAFE_INTEGER,
      parts: [Buffer.from([0, 0, 7])],
      seen: { seconds: 1_700_000_000, nanos: 5 },
    };
    expect(serde.deserialize(serde.serialize(value))).toEqual(value);
    expect(() => serde.serialize({ fullName: 5 })).toThrow(/fullName: string expected/);
    const wide = Buffer.concat([serde.serialize({}), Buffer.from('10ffffffffffffffff7f', 'hex')]);
    expect(() => serde.deserialize(wide)).toThrow(
      expect.objectContaining({ code: 'MILLRACE_DESERIALIZATION_FAILED' }),
    );
  });

  it('refuses another message of the same file', async () => {
    const client = clients();
    const other = client().protobuf<object>({ schema });
    const user = client().protobuf<object>({ schema, message: 'User' });
    await Promise.all([other.prepare!([use('x')]), user.prepare!([use('x')])]);
    expect(() => user.deserialize(other.serialize({ x: 'a' }))).toThrow(
      /it is a message millrace.test.Other/,
    );
  });

  it('reads what another version wrote, by the numbers of the fields', async () => {
    const client = clients();
    const v1 = 'syntax = "proto3"; message User { string name = 1; }';
    const v2 = 'syntax = "proto3"; message User { string called = 1; int32 age = 2; }';
    const [old, now] = [client().protobuf<object>({ schema: v1 }), client().protobuf<object>({ schema: v2 })];
    await old.prepare!([use('x')]);
    await now.prepare!([use('x')]);
    expect(now.deserialize(old.serialize({ name: 'ann' }))).toEqual({ called: 'ann', age: 0 });
  });

  it('imports files that are other subjects', async () => {
    const client = clients();
    const address = 'syntax = "proto3"; package millrace.test; message Address { string city = 1; }';
    const person = `syntax = "proto3"; package millrace.test; import "address.proto"; message Person { Address home = 1; }`;
    const references = [{ name: 'address.proto', subject: 'address', schema: address }];
    const serde = client().protobuf<object>({ schema: person, references });
    await serde.prepare!([use('people')]);
    expect(serde.deserialize(serde.serialize({ home: { city: 'Brno' } }))).toEqual({
      home: { city: 'Brno' },
    });
  });
});
