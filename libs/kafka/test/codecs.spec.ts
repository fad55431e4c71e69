import { describe, expect, it } from '@jest/globals';
import type { ApiName } from '#libs/broker';
import { CODECS, type Codec } from '../src/codecs/index.ts';
import { apiVersions, saslAuthenticate, saslHandshake } from '../src/codecs/handshake.ts';
import { Reader } from '../src/wire/reader.ts';
import { Writer } from '../src/wire/writer.ts';
import { ANSWERS } from './golden-answers.ts';
import { REQUESTS } from './golden-requests.ts';
import { goldenHex } from './golden.ts';

function encoded<Request>(codec: Codec<Request, unknown>, request: Request, version: number): string {
  const writer = new Writer();
  codec.encode(writer, request, version);
  const frame = Buffer.concat(writer.finish());
  expect(frame.readInt32BE(0)).toBe(frame.length - 4);
  return frame.subarray(4).toString('hex');
}

function decoded<Answer>(codec: Codec<never, Answer>, hex: string, version: number): Answer {
  const reader = new Reader(Buffer.from(hex, 'hex'));
  const answer = codec.decode(reader, version);
  reader.end();
  return answer;
}

const APIS = Object.keys(CODECS) as ApiName[];

describe('request codecs', () => {
  for (const api of APIS) {
    const codec = CODECS[api] as Codec<unknown, unknown>;
    for (const { version, occurrence, message } of REQUESTS[api]) {
      it(`write ${api} version ${version} (${occurrence ?? 0}) byte for byte as Kafka does`, () => {
        expect(encoded(codec, message as unknown, version)).toBe(
          goldenHex(`${api}Request`, version, occurrence),
        );
        if (codec.version !== undefined) expect(codec.version(message as unknown)).toBe(version);
      });
    }
  }
});

describe('answer codecs', () => {
  for (const api of APIS) {
    const codec = CODECS[api] as Codec<never, unknown>;
    for (const { version, occurrence, message } of ANSWERS[api]) {
      const hex = goldenHex(`${api}Response`, version, occurrence);
      it(`read ${api} version ${version} as Kafka writes it`, () => {
        expect(decoded(codec, hex, version)).toEqual(message);
      });
      it(`refuse ${api} version ${version} cut off at any byte`, () => {
        for (let length = 0; length < hex.length; length += 2) {
          expect(() => decoded(codec, hex.slice(0, length), version)).toThrow();
        }
      });
    }
  }

  it('give the records of a fetch as a view on the answer', () => {
    const frame = Buffer.from(goldenHex('FetchResponse', 17), 'hex');
    const records = CODECS.Fetch.decode(new Reader(frame), 17).topics[0]!.partitions[0]!.records!;
    expect(records.buffer).toBe(frame.buffer);
  });

  it('write record batches to the frame without copying them', () => {
    const batch = Buffer.alloc(1 << 20);
    const writer = new Writer();
    CODECS.Produce.encode(
      writer,
      {
        transactionalId: null,
        acks: -1,
        timeoutMs: 1,
        transactionVersion2: false,
        topics: [{ name: 't', partitions: [{ partition: 0, records: [batch] }] }],
      },
      11,
    );
    expect(writer.finish()[1]).toBe(batch);
  });
});

describe('handshake codecs', () => {
  it('write what Kafka reads', () => {
    const software = { clientSoftwareName: 'millrace', clientSoftwareVersion: '0.1.0' };
    expect(encoded(apiVersions, software, 4)).toBe(goldenHex('ApiVersionsRequest', 4));
    expect(encoded(saslHandshake, { mechanism: 'SCRAM-SHA-256' }, 1)).toBe(
      goldenHex('SaslHandshakeRequest', 1),
    );
    expect(encoded(saslAuthenticate, { authBytes: Buffer.from('\0a\0b') }, 2)).toBe(
      goldenHex('SaslAuthenticateRequest', 2),
    );
  });

  it('read what Kafka writes', () => {
    expect(decoded(apiVersions, goldenHex('ApiVersionsResponse', 4), 4)).toEqual({
      errorCode: 0,
      apiKeys: [
        { apiKey: 0, minVersion: 3, maxVersion: 13 },
        { apiKey: 18, minVersion: 0, maxVersion: 4 },
      ],
      finalizedFeatures: new Map([
        ['metadata.version', 29],
        ['transaction.version', 2],
      ]),
    });
    expect(decoded(saslHandshake, goldenHex('SaslHandshakeResponse', 1), 1)).toEqual({
      errorCode: 33,
      mechanisms: ['PLAIN', 'SCRAM-SHA-512'],
    });
    expect(decoded(saslAuthenticate, goldenHex('SaslAuthenticateResponse', 2), 2)).toEqual({
      errorCode: 0,
      errorMessage: null,
      authBytes: Buffer.from([1]),
      sessionLifetimeMs: 3_600_000,
    });
  });

  it('read the oldest form of ApiVersions, by which an old broker says that it is one', () => {
    expect(decoded(apiVersions, goldenHex('ApiVersionsResponse', 0), 4)).toMatchObject({
      errorCode: 35,
      apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 3 }],
    });
  });
});
