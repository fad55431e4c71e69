// Owns one connection of a client to a broker: what is on its way, in order, both ways. It decides neither faults nor answers.
//
// 1. Order is TCP's: what comes behind a message that waits waits with it.
// 2. The broker serves a connection's requests one by one: the next once the answer to the last has left (as Kafka's does).
// 3. What was sent arrives although its client has gone; what comes back then goes nowhere.
import type { ApiName, RpcAnswers, RpcFailureKind, RpcRequests, RpcTarget } from '#libs/broker';
import type { Timer } from '#libs/core';
import type { ClientProcess } from './process.ts';

export type AnyAnswer = RpcAnswers[ApiName];

export interface Call {
  readonly target: RpcTarget;
  readonly api: ApiName;
  readonly request: RpcRequests[ApiName];
  readonly process: ClientProcess;
  /** The broker may leave it unanswered for long. */
  readonly slow: boolean;
  timer: Timer | undefined;
  /** Both are called at most once in all. */
  readonly answered: (answer: AnyAnswer) => void;
  readonly failed: (kind: RpcFailureKind, why: string) => void;
}

/** What carries messages from one end of a connection to the other. */
export interface Carrier {
  /** A request has arrived: `done` with its answer, at once or later. */
  serve(connection: Connection, call: Call, done: (answer: AnyAnswer) => void): void;
  /** An answer leaves the broker. */
  carryBack(connection: Connection, call: Call, answer: AnyAnswer): void;
}

interface Message {
  readonly call: Call;
  readonly answer: AnyAnswer | undefined;
  ready: boolean;
}

export class Connection {
  readonly nodeId: number;
  /** The life of the broker that it was opened in. */
  readonly life: number;
  readonly #carrier: Carrier;
  #slowCalls = 0;
  #open = true;
  #toBroker: Message[] = [];
  #toClient: Message[] = [];
  readonly #unanswered = new Set<Call>();
  #inbox: Call[] = [];
  #serving = false;

  constructor(nodeId: number, life: number, carrier: Carrier) {
    this.nodeId = nodeId;
    this.life = life;
    this.#carrier = carrier;
  }

  /** Does the client still hold it? */
  get open(): boolean {
    return this.#open;
  }

  /** Is a call under way that may be left unanswered for long? Then nothing should be sent behind it. */
  get isSlow(): boolean {
    return this.#slowCalls > 0;
  }

  /** The call waits for its answer from now on, whatever becomes of its request. */
  expect(call: Call): void {
    this.#unanswered.add(call);
    if (call.slow) this.#slowCalls++;
  }

  /** The call waits no more. */
  forget(call: Call): void {
    if (this.#unanswered.delete(call) && call.slow) this.#slowCalls--;
  }

  /** Puts a request in line. It travels once the returned function was called, and all before it have gone. */
  sendRequest(call: Call): () => void {
    return this.#line(this.#toBroker, { call, answer: undefined, ready: false }, this.#passToBroker);
  }

  /** As `sendRequest`, for an answer. */
  sendAnswer(call: Call, answer: AnyAnswer): () => void {
    return this.#line(this.#toClient, { call, answer, ready: false }, this.#passToClient);
  }

  #line(queue: Message[], message: Message, pass: () => void): () => void {
    queue.push(message);
    return () => {
      message.ready = true;
      pass();
    };
  }

  /** Both directions break: what is on its way vanishes. */
  cut(why: string): void {
    this.#toBroker = [];
    this.#inbox = [];
    this.close(why);
  }

  /** The client lets go. What it has sent still arrives. */
  close(why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#toClient = [];
    const unanswered = [...this.#unanswered];
    this.#unanswered.clear();
    for (const call of unanswered) call.failed('unknown', why);
  }

  /** The client is dead: nobody hears of anything any more. */
  orphan(): void {
    this.#unanswered.clear();
    this.close('');
  }

  readonly #passToBroker = (): void => {
    while (this.#toBroker[0]?.ready === true) this.#inbox.push(this.#toBroker.shift()!.call);
    this.#serveNext();
  };

  #serveNext(): void {
    while (!this.#serving) {
      const call = this.#inbox.shift();
      if (call === undefined) return;
      this.#serving = true;
      this.#carrier.serve(this, call, (answer) => {
        this.#serving = false;
        if (this.#open) this.#carrier.carryBack(this, call, answer);
        this.#serveNext();
      });
    }
  }

  readonly #passToClient = (): void => {
    while (this.#toClient[0]?.ready === true) {
      const { call, answer } = this.#toClient.shift()!;
      this.forget(call);
      call.answered(answer!);
    }
  };
}
