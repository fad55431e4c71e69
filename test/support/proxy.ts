// Owns the faults between a client and a broker: a TCP proxy that knows Kafka's frames, so that a given request or its
// answer can be dropped, held, delayed, or turned into a cut connection. It changes no byte of what passes.
//
// Order is TCP's: what comes behind a held frame of the same connection and direction waits with it. A held request
// still reaches the broker when it is released after its client has gone: that is the network's late delivery.
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

import { API_KEYS, FrameSplitter, readAnswerCorrelationId, readRequestHeader } from './kafka-frames.ts';
import type { ApiName, RequestHeader } from './kafka-frames.ts';

export type { ApiName, RequestHeader } from './kafka-frames.ts';

export interface FaultRule {
  /** Which requests; default all. */
  readonly api?: ApiName | readonly ApiName[];
  /** `request`: before the broker has seen it. `answer`: the broker has applied it, the client does not know. */
  readonly on: 'request' | 'answer';
  /**
   * `drop`: the frame vanishes, the connection stays. `cut`: the frame vanishes and the connection is reset.
   * `hold`: the frame waits for `release()`. A number: it waits so many milliseconds.
   */
  readonly action: 'drop' | 'cut' | 'hold' | number;
  /** Lets so many matching frames pass first. Default 0. */
  readonly skip?: number;
  /** Applies to so many frames, then never again. Default 1; `Infinity` until removed. */
  readonly times?: number;
  /** Further condition on the request; `body` is the whole request frame. */
  readonly when?: (request: RequestHeader, body: Buffer) => boolean;
}

export interface Fault {
  /** How many frames the rule was applied to. */
  readonly hits: number;
  /** Resolves when the rule has been applied `count` times. Default once. */
  hit(count?: number): Promise<void>;
  /** Lets held frames go on, and those to come. */
  release(): void;
  /** The rule applies no more. Held frames stay held until `release()`. */
  remove(): void;
}

export interface FaultProxy {
  readonly port: number;
  /** Where clients bootstrap. */
  readonly address: string;
  /** Connections open at the moment. */
  readonly connections: number;
  fault(rule: FaultRule): Fault;
  /** Requests of an API that clients have sent, whether they got through or not. */
  seen(api: ApiName): number;
  /** Told of each request as it comes from a client. Returns how to stop it. */
  observe(observer: (request: RequestHeader, body: Buffer) => void): () => void;
  /** Resets the open connections; of one client, if its id is given. New ones are taken. */
  cutConnections(clientId?: string): void;
  /** The network is cut: `refuse` resets every connection, `silence` keeps them and passes nothing. */
  sever(mode: 'refuse' | 'silence'): void;
  heal(): void;
  close(): Promise<void>;
}

/** A proxy in front of `broker`, listening where its proxy listener says that it is. One at a time per broker. */
export async function startFaultProxy(broker: {
  readonly proxyListener: { readonly target: string; readonly advertisedPort: number } | undefined;
}): Promise<FaultProxy> {
  if (broker.proxyListener === undefined) throw new Error('this broker has no proxy listener');
  const { target, advertisedPort } = broker.proxyListener;
  const proxy = new Proxy(target, advertisedPort);
  await proxy.listen();
  return proxy;
}

class Proxy implements FaultProxy {
  readonly port: number;
  readonly address: string;
  readonly rules: Rule[] = [];
  readonly observers = new Set<(request: RequestHeader, body: Buffer) => void>();
  severed: 'refuse' | 'silence' | undefined;
  readonly #target: { host: string; port: number };
  readonly #open = new Set<Connection>();
  readonly #seen = new Map<number, number>();
  readonly #server: Server;

  constructor(target: string, port: number) {
    const separator = target.lastIndexOf(':');
    this.#target = { host: target.slice(0, separator), port: Number(target.slice(separator + 1)) };
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.#server = createServer({ noDelay: true }, (client) => {
      if (this.severed === 'refuse') {
        client.resetAndDestroy();
        return;
      }
      const upstream = connect({ ...this.#target, noDelay: true });
      const connection = new Connection(this, client, upstream, () => this.#open.delete(connection));
      this.#open.add(connection);
    });
  }

  get connections(): number {
    return this.#open.size;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.port, '127.0.0.1', resolve);
    });
  }

  fault(rule: FaultRule): Fault {
    const added = new Rule(rule, () => this.#open.forEach((connection) => connection.flush()));
    this.rules.push(added);
    return added;
  }

  seen(api: ApiName): number {
    return this.#seen.get(API_KEYS[api]) ?? 0;
  }

  note(request: RequestHeader, body: Buffer): void {
    this.#seen.set(request.apiKey, (this.#seen.get(request.apiKey) ?? 0) + 1);
    for (const observer of this.observers) observer(request, body);
  }

  observe(observer: (request: RequestHeader, body: Buffer) => void): () => void {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  }

  cutConnections(clientId?: string): void {
    for (const connection of [...this.#open]) {
      if (clientId === undefined || connection.clientId === clientId) connection.cut();
    }
  }

  sever(mode: 'refuse' | 'silence'): void {
    this.severed = mode;
    if (mode === 'refuse') this.cutConnections();
  }

  heal(): void {
    this.severed = undefined;
    for (const connection of this.#open) connection.flush();
  }

  async close(): Promise<void> {
    for (const connection of [...this.#open]) connection.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

class Rule implements Fault {
  hits = 0;
  released = false;
  readonly #rule: FaultRule;
  readonly #keys: readonly number[] | undefined;
  readonly #flush: () => void;
  #removed = false;
  #passed = 0;
  #waiting: { count: number; resolve: () => void }[] = [];

  constructor(rule: FaultRule, flush: () => void) {
    this.#rule = rule;
    const apis = typeof rule.api === 'string' ? [rule.api] : rule.api;
    this.#keys = apis?.map((api) => API_KEYS[api]);
    this.#flush = flush;
  }

  /** The action for a frame, counting it; undefined when the rule does not concern it. */
  apply(on: 'request' | 'answer', request: RequestHeader, body: Buffer): FaultRule['action'] | undefined {
    const { skip = 0, times = 1, when } = this.#rule;
    if (this.#removed || this.released || this.hits >= times || on !== this.#rule.on) return undefined;
    if (this.#keys !== undefined && !this.#keys.includes(request.apiKey)) return undefined;
    if (when !== undefined && !when(request, body)) return undefined;
    if (this.#passed < skip) {
      this.#passed++;
      return undefined;
    }
    this.hits++;
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.hits < count) return true;
      resolve();
      return false;
    });
    return this.#rule.action;
  }

  hit(count = 1): Promise<void> {
    return this.hits >= count
      ? Promise.resolve()
      : new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  release(): void {
    this.released = true;
    this.#flush();
  }

  remove(): void {
    this.#removed = true;
  }
}

interface Waiting {
  readonly frame: Buffer;
  readonly mayPass: () => boolean;
}

/** One client connection and its own connection to the broker. */
class Connection {
  clientId: string | null = null;
  readonly #proxy: Proxy;
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #onEnd: () => void;
  // Answers come in any order of correlation ids only if the broker breaks its own rule; ids may be reused later.
  readonly #unanswered = new Map<number, { request: RequestHeader; body: Buffer }>();
  readonly #toBroker: Waiting[] = [];
  readonly #toClient: Waiting[] = [];
  #clientGone = false;
  #brokerGone = false;

  constructor(proxy: Proxy, client: Socket, upstream: Socket, onEnd: () => void) {
    this.#proxy = proxy;
    this.#client = client;
    this.#upstream = upstream;
    this.#onEnd = onEnd;
    const requests = new FrameSplitter();
    const answers = new FrameSplitter();
    client.on('data', (chunk) => {
      for (const frame of requests.push(chunk)) this.#onRequest(frame);
      this.flush();
    });
    upstream.on('data', (chunk) => {
      for (const frame of answers.push(chunk)) this.#onAnswer(frame);
      this.flush();
    });
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.on('drain', () => upstream.resume());
    upstream.on('drain', () => client.resume());
    client.on('close', () => {
      this.#clientGone = true;
      this.flush();
    });
    upstream.on('close', () => {
      this.#brokerGone = true;
      this.flush();
    });
  }

  cut(): void {
    this.#client.resetAndDestroy();
    this.#upstream.resetAndDestroy();
    this.#toBroker.length = 0;
    this.#toClient.length = 0;
    this.#onEnd();
  }

  /** Sends what may pass; closes a side once the other is gone and nothing waits for it. */
  flush(): void {
    if (this.#proxy.severed !== undefined) return;
    if (pass(this.#toBroker, this.#upstream)) this.#client.pause();
    if (pass(this.#toClient, this.#client)) this.#upstream.pause();
    if (this.#clientGone && this.#toBroker.length === 0) this.#upstream.end();
    if (this.#brokerGone && this.#toClient.length === 0) this.#client.end();
    if (this.#clientGone && this.#brokerGone) this.#onEnd();
  }

  #onRequest(frame: Buffer): void {
    const request = readRequestHeader(frame);
    this.clientId = request.clientId;
    this.#proxy.note(request, frame);
    this.#unanswered.set(request.correlationId, { request, body: frame });
    this.#judge('request', request, frame, frame, this.#toBroker);
  }

  #onAnswer(frame: Buffer): void {
    const id = readAnswerCorrelationId(frame);
    const asked = this.#unanswered.get(id);
    this.#unanswered.delete(id);
    if (asked === undefined) this.#toClient.push({ frame, mayPass: always });
    else this.#judge('answer', asked.request, asked.body, frame, this.#toClient);
  }

  #judge(
    on: 'request' | 'answer',
    request: RequestHeader,
    body: Buffer,
    frame: Buffer,
    queue: Waiting[],
  ): void {
    for (const rule of this.#proxy.rules) {
      const action = rule.apply(on, request, body);
      if (action === undefined) continue;
      if (action === 'drop') return;
      if (action === 'cut') {
        this.cut();
        return;
      }
      if (action === 'hold') {
        queue.push({ frame, mayPass: () => rule.released });
        return;
      }
      let due = false;
      setTimeout(() => {
        due = true;
        this.flush();
      }, action);
      queue.push({ frame, mayPass: () => due || rule.released });
      return;
    }
    queue.push({ frame, mayPass: always });
  }
}

const always = (): boolean => true;

/** Writes the head of `queue` as far as it may pass. True when `socket` wants its source to pause. */
function pass(queue: Waiting[], socket: Socket): boolean {
  let full = false;
  while (queue[0]?.mayPass() === true) {
    const waiting = queue.shift();
    if (waiting !== undefined && !socket.destroyed) full = !socket.write(waiting.frame);
  }
  return full;
}
