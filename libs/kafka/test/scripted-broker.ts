// Owns a TCP server that speaks Kafka's framing and answers as a spec scripts it, on a port of its own. It agrees on
// versions by itself; everything else waits for the script.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { ApiName } from '#libs/broker';
import { API_NAMES, CODECS } from '../src/codecs/index.ts';
import { apiVersions, saslAuthenticate, saslHandshake } from '../src/codecs/handshake.ts';
import { Writer } from '../src/wire/writer.ts';

export type ScriptedApi = ApiName | 'ApiVersions' | 'SaslHandshake' | 'SaslAuthenticate';

const HANDSHAKE_CODECS = {
  ApiVersions: apiVersions,
  SaslHandshake: saslHandshake,
  SaslAuthenticate: saslAuthenticate,
};
const NAMES = new Map<number, ScriptedApi>([
  ...API_NAMES.map((name) => [CODECS[name].apiKey, name] as const),
  ...Object.values(HANDSHAKE_CODECS).map((codec) => [codec.apiKey, codec.name as ScriptedApi] as const),
]);

export interface ReceivedRequest {
  readonly api: ScriptedApi;
  readonly version: number;
  readonly correlationId: number;
  /** Behind the header. */
  readonly body: Buffer;
  readonly socket: Socket;
  /** Answers with this body, under the request's correlation id or another. */
  reply(body: Buffer | string, correlationId?: number): void;
}

export type Script = (request: ReceivedRequest) => void;

export class ScriptedBroker {
  readonly requests: ReceivedRequest[] = [];
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #scripts = new Map<ScriptedApi, Script>();
  readonly #waiters: (() => void)[] = [];

  static async start(): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker();
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve));
    return broker;
  }

  private constructor() {
    this.#scripts.set('ApiVersions', (request) => request.reply(apiVersionsBody()));
    this.#server = createServer((socket) => this.#serve(socket));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** What to do with each request of that API from now on. Unscripted ones wait for ever. */
  on(api: ScriptedApi, script: Script): void {
    this.#scripts.set(api, script);
  }

  /** Resolves once `count` requests of that API have come. */
  async received(api: ScriptedApi, count = 1): Promise<readonly ReceivedRequest[]> {
    for (;;) {
      const found = this.requests.filter((request) => request.api === api);
      if (found.length >= count) return found;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const frame = pending.subarray(4, 4 + pending.readInt32BE(0));
        pending = pending.subarray(4 + frame.length);
        this.#take(frame, socket);
      }
    });
  }

  #take(frame: Buffer, socket: Socket): void {
    const api = NAMES.get(frame.readInt16BE(0))!;
    const correlationId = frame.readInt32BE(4);
    const plainAnswer = api === 'ApiVersions' || api === 'SaslHandshake';
    const bodyAt = 10 + frame.readInt16BE(8) + (api === 'SaslHandshake' ? 0 : 1);
    const request: ReceivedRequest = {
      api,
      version: frame.readInt16BE(2),
      correlationId,
      body: frame.subarray(bodyAt),
      socket,
      reply: (body, id = correlationId) => {
        const bytes = typeof body === 'string' ? Buffer.from(body, 'hex') : body;
        socket.write(answerFrame(id, bytes, plainAnswer));
      },
    };
    this.requests.push(request);
    this.#scripts.get(api)?.(request);
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

/** A whole frame as a broker sends it. */
export function answerFrame(correlationId: number, body: Buffer, plain = false): Buffer {
  const header = Buffer.alloc(plain ? 8 : 9);
  header.writeInt32BE(header.length - 4 + body.length, 0);
  header.writeInt32BE(correlationId, 4);
  return Buffer.concat([header, body]);
}

/** Body of an ApiVersions answer: what our codecs speak at best, and whatever `changes` says instead. */
export function apiVersionsBody(
  changes: Partial<Record<ApiName, readonly [min: number, max: number] | null>> = {},
  transactionVersion = 2,
): Buffer {
  const ranges = API_NAMES.map((name) => {
    const range = changes[name] === undefined ? [0, CODECS[name].maxVersion] : changes[name];
    return range === null ? null : { apiKey: CODECS[name].apiKey, min: range[0], max: range[1] };
  }).filter((range) => range !== null);
  const features = bodyOf((writer) =>
    writer.array(transactionVersion > 0 ? [transactionVersion] : [], (level) => {
      writer.string('transaction.version').int16(level).int16(level).noTags();
    }),
  );
  const head = bodyOf((writer) => {
    writer.int16(0);
    writer.array(ranges, (range) => {
      writer.int16(range.apiKey).int16(range.min).int16(range.max).noTags();
    });
    // Throttle time, then one tagged field: 2, the finalised features.
    writer.int32(0).unsignedVarint(1).unsignedVarint(2).unsignedVarint(features.length);
  });
  return Buffer.concat([head, features]);
}

/** The bytes `write` leaves in a frame. */
export function bodyOf(write: (writer: Writer) => void): Buffer {
  const writer = new Writer();
  write(writer);
  return Buffer.concat(writer.finish()).subarray(4);
}
