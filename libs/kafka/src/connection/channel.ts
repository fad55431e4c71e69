// Owns the calls of one lane to one target: their queue, their deadlines, and the connection that serves them, opened
// when a call needs it and again after it broke. Knows no more of an API than its codec says.
//
// 1. Calls are sent in the order they were made, at most `maxInFlightRequests` without an answer.
// 2. A call that ends without an answer is `not-sent` if no byte of it was handed to a socket, else `unknown`.
// 3. A call that was sent and runs out of time ends its connection, as in Kafka's own clients: what stands behind it
//    would wait in vain, and its late answer has nobody to go to.
// 4. After a failed attempt the next one waits, longer each time; a final fault is repeated to callers meanwhile.
import type { ApiName, RpcFailureKind, RpcTarget } from '#libs/broker';
import { RpcFailure } from '#libs/broker';
import { asError, MillraceError, type Timer } from '#libs/core';
import type { Codec } from '../codecs/index.ts';
import { formatBrokerAddress, type BrokerAddress } from './address.ts';
import { Connection, type ConnectionDeps } from './connection.ts';
import { noneReachable, ConnectionFault, type FailedAttempt } from './faults.ts';
import { versionFor } from './versions.ts';

/** A fault that trying again does not mend is still tried again, at this pace, should an operator mend it. */
const FINAL_FAULT_PAUSE_MS = 5_000;

interface Call {
  readonly api: ApiName;
  readonly codec: Codec<unknown, unknown>;
  readonly request: unknown;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  timer: Timer | null;
  settled: boolean;
}

export class Channel {
  readonly #target: RpcTarget;
  readonly #addresses: () => Promise<readonly BrokerAddress[]>;
  readonly #deps: ConnectionDeps;
  #queue: Call[] = [];
  #connection: Connection | null = null;
  #opening: Promise<Connection> | null = null;
  #failures = 0;
  #pausedUntilMs = 0;
  #finalFault: MillraceError | null = null;
  #closedBy: Error | null = null;
  #retired = false;
  #wakePause: (() => void) | null = null;

  constructor(target: RpcTarget, addresses: () => Promise<readonly BrokerAddress[]>, deps: ConnectionDeps) {
    this.#target = target;
    this.#addresses = addresses;
    this.#deps = deps;
  }

  call<Request, Answer>(
    api: ApiName,
    codec: Codec<Request, Answer>,
    request: Request,
    timeoutMs: number,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const call: Call = {
        api,
        codec,
        request,
        resolve: resolve as (answer: unknown) => void,
        reject,
        timer: null,
        settled: false,
      };
      const repeated = this.#repeatedFault();
      if (repeated !== null) {
        reject(repeated);
        return;
      }
      if (this.#closedBy !== null) {
        this.#fail(call, 'not-sent', this.#closedBy);
        return;
      }
      call.timer = this.#deps.clock.schedule(timeoutMs, () => this.#expire(call, timeoutMs));
      this.#queue.push(call);
      this.#pump();
    });
  }

  /** The open connection, opened if need be. @throws as `Connection.open`. */
  connected(): Promise<Connection> {
    const repeated = this.#repeatedFault() ?? this.#closedBy;
    if (repeated !== null) return Promise.reject(repeated);
    if (this.#connection !== null) return Promise.resolve(this.#connection);
    return this.#open();
  }

  /** Takes no more calls; the connection ends once those it carries are answered. */
  retire(cause: Error): void {
    this.#retired = true;
    this.#failQueue(cause);
    if ((this.#connection?.inFlight ?? 0) === 0) this.close(cause);
  }

  close(cause: Error): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = cause;
    this.#failQueue(cause);
    this.#wakePause?.();
    this.#connection?.close(cause);
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === null) {
      if (this.#queue.length > 0) this.#open().catch(() => undefined);
      return;
    }
    const inFlightMax = this.#deps.settings.inFlightRequestsMax;
    while (this.#queue.length > 0 && !connection.held && connection.inFlight < inFlightMax) {
      this.#dispatch(connection, this.#queue.shift()!);
      if (connection.closedBy !== null) return;
    }
    if (this.#retired && connection.inFlight === 0) this.close(new ConnectionFault('the broker has moved'));
  }

  #dispatch(connection: Connection, call: Call): void {
    try {
      const version = versionFor(connection.address, connection.versions, call.api, call.codec, call.request);
      connection.send(call.codec, version, call.request, {
        answered: (answer) => {
          if (this.#settle(call)) call.resolve(answer);
        },
        lost: (cause) => {
          if (cause instanceof MillraceError && cause.code === 'MILLRACE_PROTOCOL_ERROR') {
            if (this.#settle(call)) call.reject(cause);
          } else {
            this.#fail(call, 'unknown', cause);
          }
        },
      });
    } catch (error) {
      if (this.#settle(call)) call.reject(asError(error));
    }
  }

  #open(): Promise<Connection> {
    if (this.#opening !== null) return this.#opening;
    const opening = this.#attempt().finally(() => {
      this.#opening = null;
    });
    this.#opening = opening;
    opening.then(
      () => this.#pump(),
      (error: unknown) => this.#failQueue(asError(error)),
    );
    return opening;
  }

  async #attempt(): Promise<Connection> {
    await this.#pause();
    try {
      const connection = await this.#connectToAny();
      this.#failures = 0;
      this.#finalFault = null;
      if (this.#closedBy !== null) {
        connection.close(this.#closedBy);
        throw this.#closedBy;
      }
      this.#connection = connection;
      connection.onChange = () => {
        if (connection.closedBy !== null) this.#lose(connection);
        this.#pump();
      };
      return connection;
    } catch (error) {
      this.#noteFailure(asError(error));
      throw error;
    }
  }

  /** Tries each address in turn; a final fault of one ends the round. */
  async #connectToAny(): Promise<Connection> {
    const attempts: FailedAttempt[] = [];
    const causes: unknown[] = [];
    let addresses: readonly BrokerAddress[] = [];
    try {
      addresses = await this.#addresses();
    } catch (error) {
      attempts.push({ broker: 'no address', reason: asError(error).message });
      causes.push(error);
    }
    // Not always the same first: clients spread over the cluster.
    const first = Math.floor(this.#deps.clock.random() * addresses.length);
    for (let index = 0; index < addresses.length && this.#closedBy === null; index++) {
      const address = addresses[(first + index) % addresses.length]!;
      try {
        return await Connection.open(address, this.#deps);
      } catch (error) {
        if (error instanceof MillraceError) throw error;
        attempts.push({ broker: formatBrokerAddress(address), reason: asError(error).message });
        causes.push(error);
      }
    }
    throw this.#closedBy ?? noneReachable(attempts, causes);
  }

  #lose(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    const cause = connection.closedBy!;
    // Credentials withdrawn are told to all, as after a failed attempt; an unreadable answer only to the call it was for.
    if (cause instanceof MillraceError && cause.code !== 'MILLRACE_PROTOCOL_ERROR') {
      this.#noteFailure(cause);
      this.#failQueue(cause);
    }
    this.#deps.logger.debug('connection to broker ended', {
      broker: formatBrokerAddress(connection.address),
      cause: cause.message,
    });
  }

  #noteFailure(error: Error): void {
    const { settings, clock, logger } = this.#deps;
    const final = error instanceof MillraceError;
    this.#finalFault = final ? error : null;
    this.#failures += 1;
    const growing = settings.retryTimeInitialMs * 2 ** Math.min(this.#failures - 1, 20);
    const pauseMs = final ? FINAL_FAULT_PAUSE_MS : Math.min(growing, settings.retryTimeMaxMs);
    this.#pausedUntilMs = clock.monotonic() + pauseMs * (0.8 + 0.4 * clock.random());
    if (final) logger.error('a broker cannot be used', { code: error.code, message: error.message });
  }

  #repeatedFault(): MillraceError | null {
    return this.#finalFault !== null && this.#deps.clock.monotonic() < this.#pausedUntilMs
      ? this.#finalFault
      : null;
  }

  async #pause(): Promise<void> {
    const delayMs = this.#pausedUntilMs - this.#deps.clock.monotonic();
    if (this.#failures === 0 || delayMs <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#deps.clock.schedule(delayMs, resolve);
      this.#wakePause = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wakePause = null;
  }

  #expire(call: Call, timeoutMs: number): void {
    const cause = new ConnectionFault(`no answer within ${timeoutMs} ms`);
    const queued = this.#queue.indexOf(call);
    if (queued >= 0) {
      this.#queue.splice(queued, 1);
      this.#fail(call, 'not-sent', cause);
      return;
    }
    const connection = this.#connection;
    this.#fail(call, 'unknown', cause);
    connection?.close(new ConnectionFault(`${call.api} had no answer within ${timeoutMs} ms`));
  }

  #failQueue(cause: Error): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const call of queue) {
      if (cause instanceof MillraceError) {
        if (this.#settle(call)) call.reject(cause);
      } else {
        this.#fail(call, 'not-sent', cause);
      }
    }
  }

  #fail(call: Call, kind: RpcFailureKind, cause: Error): void {
    if (this.#settle(call)) call.reject(new RpcFailure(kind, this.#target, call.api, cause));
  }

  #settle(call: Call): boolean {
    if (call.settled) return false;
    call.settled = true;
    call.timer?.cancel();
    return true;
  }
}
