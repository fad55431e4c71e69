// Specifies the way to a real schema registry: behind TLS and authorization, and with each kind of schema and references. No broker.
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import avsc from 'avsc';
import { createCertificate } from '#libs/broker-local';
import { SchemaRegistryClient, prepareSerdes } from '#libs/serde';
import type { Serde, SerdeUse } from '#libs/serde';
import { uniqueName } from '../support/broker.ts';
import { RegistryRest, describeWithRegistry } from '../support/registry.ts';

const user = {
  type: 'record',
  name: 'User',
  namespace: 'millrace.spec',
  fields: [{ name: 'name', type: 'string' }],
};

const usesOf = (topic: string): SerdeUse[] => [
  { topic, part: 'value', reads: true, writes: true, kind: 'external' },
];
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describeWithRegistry('a real schema registry', (registry) => {
  describe('behind TLS and authorization', () => {
    let folder: string;
    let certificate: string;
    let proxy: Server;
    let host: string;
    let accepted: string;
    let refused = 0;
    let served = 0;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'millrace-spec-'));
      const made = await createCertificate(folder);
      certificate = made.certificate;
      const target = new URL(registry().url);
      proxy = createServer(
        { pfx: await readFile(made.keystore.file), passphrase: made.keystore.password },
        (incoming, outgoing) => {
          if (incoming.headers.authorization !== accepted) {
            refused++;
            outgoing.writeHead(401, { 'content-type': 'application/json' });
            outgoing.end('{"error_code":401,"message":"Unauthorized"}');
            incoming.resume();
            return;
          }
          served++;
          const { authorization: _, ...headers } = incoming.headers;
          const forward = request(
            {
              host: target.hostname,
              port: target.port,
              path: incoming.url,
              method: incoming.method,
              headers,
            },
            (answer) => {
              outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
              answer.pipe(outgoing);
            },
          );
          forward.on('error', () => outgoing.destroy());
          incoming.pipe(forward);
        },
      );
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      host = `https://localhost:${(proxy.address() as AddressInfo).port}${target.pathname}`;
    });
    afterAll(async () => {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
      await rm(folder, { recursive: true });
    });
    beforeEach(() => {
      refused = 0;
      served = 0;
    });

    const basic = `Basic ${Buffer.from('ann:s3cret').toString('base64')}`;
    const roundTrip = async (options: object): Promise<unknown> => {
      const topic = uniqueName('users');
      const client = new SchemaRegistryClient({ host, register: true, ...options });
      const writer = client.avro<object>({ schema: user });
      await writer.prepare!(usesOf(topic));
      // Another client has to fetch the schema.
      const reader = new SchemaRegistryClient({ host, ...options }).avro<object>();
      const bytes = writer.serialize({ name: 'ann' });
      await reader.prepare!([{ ...usesOf(topic)[0]!, writes: false }]);
      for (;;) {
        try {
          return plain(reader.deserialize(bytes));
        } catch (error) {
          await (error as { ready: Promise<void> }).ready;
        }
      }
    };

    it('takes a user and a password', async () => {
      accepted = basic;
      const auth = { username: 'ann', password: 's3cret' };
      expect(await roundTrip({ auth, tls: { ca: certificate } })).toEqual({ name: 'ann' });
      expect(served).toBeGreaterThan(3);
    });

    it('takes a bearer token, and asks for it anew each time', async () => {
      accepted = 'Bearer token-1';
      expect(await roundTrip({ token: 'token-1', tls: { ca: certificate } })).toEqual({ name: 'ann' });
      let number = 1;
      const client = new SchemaRegistryClient({
        host,
        register: true,
        tls: { ca: certificate },
        token: () => Promise.resolve(`token-${++number}`),
      });
      accepted = 'Bearer token-2';
      const failing = client.avro({ schema: user }).prepare!(usesOf(uniqueName('users')));
      await expect(failing).rejects.toMatchObject({ code: 'MILLRACE_AUTHENTICATION_FAILED' });
      expect(number).toBeGreaterThan(2);
    });

    it('says who was refused, without the password', async () => {
      accepted = basic;
      const auth = { username: 'ann', password: 'wr0ng-secret' };
      const failing = roundTrip({ auth, tls: { ca: certificate } });
      await expect(failing).rejects.toMatchObject({
        code: 'MILLRACE_AUTHENTICATION_FAILED',
        name: 'FatalError',
      });
      await failing.catch((error: unknown) =>
        expect(JSON.stringify(error) + String(error)).not.toContain('wr0ng'),
      );
      expect(refused).toBeGreaterThan(0);
      expect(served).toBe(0);
    });

    it('is not spoken to unless its certificate is trusted', async () => {
      accepted = basic;
      const auth = { username: 'ann', password: 's3cret' };
      await expect(roundTrip({ auth })).rejects.toMatchObject({
        code: 'MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE',
        message: expect.stringMatching(/certificate/i),
      });
      expect(refused + served).toBe(0);
    });
  });

  describe('with each kind of schema', () => {
    let client: SchemaRegistryClient;
    let rest: RegistryRest;
    let topic: string;
    beforeEach(() => {
      client = new SchemaRegistryClient({ host: registry().url, register: true });
      rest = new RegistryRest(registry());
      topic = uniqueName('things');
    });

    const read = async (serde: Serde<unknown>, bytes: Uint8Array): Promise<unknown> => {
      for (;;) {
        try {
          return plain(serde.deserialize(bytes));
        } catch (error) {
          if (!(error as { ready?: Promise<void> }).ready) throw error;
          await (error as { ready: Promise<void> }).ready;
        }
      }
    };

    it('names Avro types of other subjects', async () => {
      const address = {
        type: 'record',
        name: uniqueName('A').replace('-', ''),
        fields: [{ name: 'city', type: 'string' }],
      };
      const person = { type: 'record', name: 'Person', fields: [{ name: 'home', type: address.name }] };
      const references = [{ name: address.name, subject: `${topic}-address`, schema: address }];
      const serde = client.avro<unknown>({ schema: person, references });
      await serde.prepare!(usesOf(topic));
      const bytes = serde.serialize({ home: { city: 'Brno' } });
      expect(await read(new SchemaRegistryClient({ host: registry().url }).avro<unknown>(), bytes)).toEqual({
        home: { city: 'Brno' },
      });
      // The registry's own record of it, and avsc without us.
      expect(await rest.ask(`/subjects/${topic}-value/versions/1`)).toMatchObject({
        references: [{ name: address.name, subject: `${topic}-address`, version: 1 }],
      });
      const types = {};
      avsc.Type.forSchema(address as never, { registry: types });
      const type = avsc.Type.forSchema(person as never, { registry: types });
      expect(plain(type.fromBuffer(Buffer.from(bytes).subarray(5)))).toEqual({ home: { city: 'Brno' } });
      // Again, now that all is there.
      await new SchemaRegistryClient({ host: registry().url, register: false }).avro<unknown>({
        schema: person,
        references,
      }).prepare!(usesOf(topic));
    });

    it('checks JSON Schema', async () => {
      const schema = {
        $schema: 'http://json-schema.org/draft-07/schema#',
        title: 'Thing',
        type: 'object',
        properties: { size: { type: 'number' } },
        required: ['size'],
      };
      const serde = client.json<unknown>({ schema });
      await serde.prepare!(usesOf(topic));
      const bytes = serde.serialize({ size: 1.5 });
      expect(await rest.ask(`/subjects/${topic}-value/versions/latest`)).toMatchObject({
        schemaType: 'JSON',
      });
      expect(await read(new SchemaRegistryClient({ host: registry().url }).json<unknown>(), bytes)).toEqual({
        size: 1.5,
      });
      await expect(
        read(new SchemaRegistryClient({ host: registry().url }).avro<unknown>(), bytes),
      ).rejects.toMatchObject({ message: expect.stringContaining('of the kind JSON') });
    });

    it('writes Protobuf with imports', async () => {
      const address = `syntax = "proto3"; package millrace.spec; message Address { string city = 1; }`;
      const person = `syntax = "proto3"; package millrace.spec; import "${topic}.proto"; import "google/protobuf/timestamp.proto";
        message Other { int32 x = 1; }
        message Person { Address home = 1; google.protobuf.Timestamp born = 2; }`;
      const references = [{ name: `${topic}.proto`, subject: `${topic}-address`, schema: address }];
      const make = (from: SchemaRegistryClient): Serde<unknown> =>
        from.protobuf<unknown>({ schema: person, message: 'Person', references });
      const serde = make(client);
      await serde.prepare!(usesOf(topic));
      const value = { home: { city: 'Brno' }, born: { seconds: 5, nanos: 0 } };
      const bytes = serde.serialize(value);
      expect([...bytes.subarray(5, 7)]).toEqual([2, 2]);
      expect(await read(make(new SchemaRegistryClient({ host: registry().url })), bytes)).toEqual(value);
      expect(await rest.ask(`/subjects/${topic}-value/versions/latest`)).toMatchObject({
        schemaType: 'PROTOBUF',
      });
    });

    it('prepares many serdes beside each other, as two instances that start at once do', async () => {
      const schemas = Array.from({ length: 4 }, (_, i) => ({ ...user, name: `User${i}` }));
      const instance = (): Promise<void> => {
        const own = new SchemaRegistryClient({ host: registry().url, register: true });
        return prepareSerdes(
          schemas.map((schema, i) => [own.avro<unknown>({ schema }), usesOf(`${topic}-${i}`)[0]!] as const),
        );
      };
      await Promise.all([instance(), instance(), instance()]);
      for (const [i] of schemas.entries()) expect(await rest.versions(`${topic}-${i}-value`)).toEqual([1]);
    });
  });
});
