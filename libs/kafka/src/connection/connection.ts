// Owns one socket to one broker that is ready for calls: it has agreed on versions and authenticated. Sends requests in
// the order given, matches answers by order and correlation id, authenticates again before its session ends.
// Never reconnects, never retries, never queues a call.
//
// 1. An answer belongs to the oldest request without one; a correlation id that says otherwise ends the connection.
// 2. Once closed it stays closed: every request without an answer is told the cause, exactly once.
// 3. Nothing but SASL messages is sent while `held`.
import type { Socket } from 'node:net';
import { asError, MillraceError, type Clock, type Logger, type Timer } from '#libs/core';
import { apiVersions } from '../codecs/handshake.ts';
import type { Codec } from '../codecs/index.ts';
import type { KafkaSettings } from '../config.ts';
import { authenticate } from '../sasl/authenticate.ts';
import { FrameReader } from '../wire/frame-reader.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';
import { formatBrokerAddress, type BrokerAddress } from './address.ts';
import { ConnectionFault, isTlsFault, protocolError, tlsFailed } from './faults.ts';
import { openSocket } from './socket.ts';
import { agreeOnVersions, type BrokerVersions } from './versions.ts';

const CLIENT_SOFTWARE = { clientSoftwareName: 'millrace', clientSoftwareVersion: '0.1.0' };
/** An answer before the connection is open is no larger: whoever answers is not known yet, and memory is taken for what it announces. */
const GREETING_BYTES_MAX = 1024 * 1024;
/** Share of a SASL session's lifetime after which it is renewed. */
const REAUTHENTICATE_AT = 0.85;

export interface ConnectionDeps {
  readonly settings: KafkaSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What becomes of one request. */
export interface Outcome<Answer> {
  answered(answer: Answer): void;
  /** The connection ended, or the answer cannot be read. */
  lost(cause: Error): void;
}

interface Awaited {
  readonly correlationId: number;
  readonly version: number;
  readonly codec: Codec<never, unknown>;
  readonly outcome: Outcome<never>;
}

export class Connection {
  readonly address: BrokerAddress;
  /** Called whenever another request may be sent, and once when the connection closed. */
  onChange: () => void = () => undefined;
  readonly #deps: ConnectionDeps;
  readonly #clientId: string;
  readonly #frames: FrameReader;
  #socket: Socket | null = null;
  #versions: BrokerVersions | null = null;
  /** Requests without an answer, oldest first from `#head`. */
  #awaited: Awaited[] = [];
  #head = 0;
  #correlationId = 0;
  #held = false;
  #renewing = false;
  #closedBy: Error | null = null;
  #answers = 0;
  #renewal: Timer | null = null;

  /**
   * Connects, agrees on versions and authenticates.
   * @throws FatalError TLS, authentication, version and protocol faults. ConnectionFault everything else.
   */
  static async open(address: BrokerAddress, deps: ConnectionDeps): Promise<Connection> {
    const connection = new Connection(address, deps);
    try {
      await connection.#connect();
      connection.#versions = agreeOnVersions(
        address,
        await connection.#exchange(apiVersions, CLIENT_SOFTWARE),
      );
      await connection.#authenticate();
    } catch (error) {
      connection.close(asError(error));
      // The socket's own end, when it came first, says more than what it interrupted.
      throw connection.#closedBy!;
    }
    connection.#answers = 0;
    connection.#frames.limitTo(deps.settings.frameBytesMax);
    deps.logger.debug('connected to broker', { broker: formatBrokerAddress(address) });
    return connection;
  }

  private constructor(address: BrokerAddress, deps: ConnectionDeps) {
    this.address = address;
    this.#deps = deps;
    this.#clientId = deps.settings.clientId;
    const greetingMax = Math.min(GREETING_BYTES_MAX, deps.settings.frameBytesMax);
    this.#frames = new FrameReader(greetingMax, (frame) => this.#take(frame));
  }

  get versions(): BrokerVersions {
    return this.#versions!;
  }

  get inFlight(): number {
    return this.#awaited.length - this.#head;
  }

  /** True while it authenticates again. */
  get held(): boolean {
    return this.#held;
  }

  /** Why it is closed; `null` while it is open. */
  get closedBy(): Error | null {
    return this.#closedBy;
  }

  /**
   * Sends a request; `outcome` is told its end, unless this throws.
   * @throws Error the request cannot be encoded; nothing was sent.
   */
  send<Request, Answer>(
    codec: Codec<Request, Answer>,
    version: number,
    request: Request,
    outcome: Outcome<Answer>,
  ): void {
    if (this.#closedBy !== null || this.#socket === null) {
      outcome.lost(this.#closedBy ?? new ConnectionFault('the connection is not open'));
      return;
    }
    const correlationId = (this.#correlationId + 1) & 0x7fffffff;
    const writer = new Writer()
      .int16(codec.apiKey)
      .int16(version)
      .int32(correlationId)
      .legacyString(this.#clientId);
    if (codec.flexible !== false) writer.noTags();
    codec.encode(writer, request, version);
    const segments = writer.finish();
    this.#correlationId = correlationId;

    const unanswered = codec.unanswered?.(request);
    const socket = this.#socket;
    // One writev for the frame: its batches go to the kernel from where they lie.
    socket.cork();
    for (const segment of segments) socket.write(segment);
    if (unanswered === undefined) {
      this.#awaited.push({ correlationId, version, codec, outcome });
    } else {
      // Done when the bytes are with the kernel: until then they must not change.
      socket.write('', (error) => {
        if (error) outcome.lost(error);
        else outcome.answered(unanswered);
      });
    }
    socket.uncork();
  }

  /** Closes at once. Requests without an answer are lost by `cause`; later ones too. */
  close(cause: Error): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = cause;
    this.#renewal?.cancel();
    this.#socket?.destroy();
    const lost = this.#awaited.slice(this.#head);
    this.#awaited = [];
    this.#head = 0;
    // What is wrong with an answer concerns the request it belongs to; the others only lose theirs.
    const others =
      cause instanceof MillraceError ? new ConnectionFault('the connection was ended', cause) : cause;
    lost.forEach((awaited, index) => awaited.outcome.lost(index === 0 ? cause : others));
    this.onChange();
  }

  async #connect(): Promise<void> {
    const { settings, clock } = this.#deps;
    const frames = this.#frames;
    const reading = {
      space: () => frames.space(),
      received: (byteLength: number) => {
        if (this.#closedBy !== null) return;
        try {
          frames.received(byteLength);
        } catch (error) {
          this.close(protocolError(this.address, asError(error).message, error));
        }
      },
    };
    const timeoutMs = settings.connectionTimeoutMs;
    let timer: Timer | null = null;
    try {
      await new Promise<void>((resolve, reject) => {
        const socket = openSocket(this.address, settings.tls, reading);
        this.#socket = socket;
        timer = clock.schedule(timeoutMs, () => {
          reject(new ConnectionFault(`no connection within ${timeoutMs} ms`));
        });
        socket.once(settings.tls === null ? 'connect' : 'secureConnect', resolve);
        socket.on('error', (error: Error) => {
          const fault = isTlsFault(error) ? tlsFailed(this.address, error) : this.#broken(error);
          this.close(fault);
          reject(fault);
        });
        const ended = (): void => {
          const fault = this.#broken(null);
          this.close(fault);
          reject(fault);
        };
        // A broker that has ended its half answers nothing any more; waiting for `close` would let calls go out in vain.
        socket.on('end', ended);
        socket.on('close', ended);
      });
    } finally {
      (timer as Timer | null)?.cancel();
    }
  }

  async #authenticate(): Promise<void> {
    const { settings, clock } = this.#deps;
    if (settings.sasl === null) return;
    const lifetimeMs = await authenticate(this.address, settings.sasl, (codec, request) =>
      this.#exchange(codec, request),
    );
    if (lifetimeMs <= 0 || this.#closedBy !== null) return;
    this.#renewal = clock.schedule(lifetimeMs * REAUTHENTICATE_AT, () => this.#renewSession(), true);
  }

  /** Holds further calls back; once those under way are answered, authenticates anew. */
  #renewSession(): void {
    this.#held = true;
    if (this.inFlight > 0) return;
    this.#renewing = true;
    this.#authenticate().then(
      () => {
        this.#held = false;
        this.#renewing = false;
        this.#deps.logger.debug('authenticated again', { broker: formatBrokerAddress(this.address) });
        this.onChange();
      },
      (error: unknown) => this.close(asError(error)),
    );
  }

  #exchange<Request, Answer>(codec: Codec<Request, Answer>, request: Request): Promise<Answer> {
    const timeoutMs = this.#deps.settings.authenticationTimeoutMs;
    return new Promise((resolve, reject) => {
      const timer = this.#deps.clock.schedule(timeoutMs, () => {
        this.close(new ConnectionFault(`${codec.name} has no answer within ${timeoutMs} ms`));
      });
      this.send(codec, codec.maxVersion, request, {
        answered: (answer) => {
          timer.cancel();
          resolve(answer);
        },
        lost: (cause) => {
          timer.cancel();
          reject(cause);
        },
      });
    });
  }

  #take(frame: Buffer): void {
    if (this.#closedBy !== null) return;
    const awaited = this.#awaited[this.#head];
    const correlationId = frame.readInt32BE(0);
    if (awaited === undefined || awaited.correlationId !== correlationId) {
      const expected = awaited === undefined ? 'no answer is awaited' : `${awaited.correlationId} is due`;
      if (this.#awaited.some((later, index) => index > this.#head && later.correlationId === correlationId)) {
        // An answer in between got lost on the way. Nothing on this connection can be trusted any more, but every request
        // on it may have been applied: the same requests go out again on another.
        this.close(new ConnectionFault(`answer ${correlationId} came where ${expected}`));
        return;
      }
      this.close(protocolError(this.address, `it answers correlation id ${correlationId} where ${expected}`));
      return;
    }
    const { codec, version, outcome } = awaited;
    let answer: unknown;
    try {
      const reader = new Reader(frame);
      reader.int32();
      if (codec.flexible !== false && codec.plainAnswerHeader === undefined) reader.tags();
      answer = codec.decode(reader, version);
      reader.end();
    } catch (error) {
      const what = `its answer to ${codec.name} version ${version} cannot be read: ${asError(error).message}`;
      this.close(protocolError(this.address, what, error));
      return;
    }
    this.#shift();
    this.#answers += 1;
    (outcome as Outcome<unknown>).answered(answer);
    if (this.#held && this.inFlight === 0 && !this.#renewing) this.#renewSession();
    else this.onChange();
  }

  #shift(): void {
    this.#head += 1;
    if (this.#head === this.#awaited.length) {
      this.#awaited.length = 0;
      this.#head = 0;
    } else if (this.#head > 64) {
      this.#awaited.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** What the end of the socket means, with a hint where the configuration is the likely cause. */
  #broken(error: Error | null): ConnectionFault {
    const { settings } = this.#deps;
    const what =
      error === null
        ? 'the broker closed the connection'
        : error.message || String((error as NodeJS.ErrnoException).code);
    if (this.#versions === null) {
      if (settings.tls !== null && (error === null || error.message.includes('secure TLS connection'))) {
        return new ConnectionFault(`${what} (is its listener for TLS?)`, error);
      }
    } else if (this.#answers === 0 && error === null && settings.sasl === null) {
      return new ConnectionFault(`${what} before its first answer (does its listener ask for \`sasl\`?)`);
    }
    return new ConnectionFault(what, error ?? undefined);
  }
}
