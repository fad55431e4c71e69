// Owns the account of what happened in the cluster: a running hash over all events, and a listener for who wants to see them.
// Two runs of one seed have the same hash after every event; the first difference is where chance came in.

export type ClusterEventKind =
  | 'request'
  | 'apply'
  | 'answer'
  | 'lost-request'
  | 'lost-answer'
  | 'delayed'
  | 'duplicate'
  | 'cut'
  | 'timeout'
  | 'append'
  | 'clean'
  | 'marker'
  | 'offset'
  | 'transaction'
  | 'group'
  | 'broker'
  | 'process';

export interface ClusterEvent {
  readonly kind: ClusterEventKind;
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Who or what: a client id and API, a partition, a transactional id, a group. */
  readonly subject: string;
  /** What the event says: a node, an offset, a state. */
  readonly detail: number | string;
}

const FNV_PRIME = 0x01000193;
/** Looked up once: in the contexts that test runners make, each look at a global costs. */
const { floor, imul } = Math;

export class EventTrace {
  readonly #monotonic: () => number;
  readonly #listener: ((event: ClusterEvent) => void) | undefined;
  /** Strings are mixed once and then by number. */
  readonly #interned = new Map<string, number>();
  #low = 0x811c9dc5;
  #high = 0x2b7e1516;
  count = 0;

  constructor(monotonic: () => number, listener: ((event: ClusterEvent) => void) | undefined) {
    this.#monotonic = monotonic;
    this.#listener = listener;
  }

  /** `content`: a further number that belongs to the event, such as the checksum of a batch. */
  note(kind: ClusterEventKind, subject: string, detail: number | string, content = 0): void {
    const at = this.#monotonic();
    this.count++;
    this.#mix(this.#number(kind));
    this.#mix(this.#number(subject));
    this.#mix(typeof detail === 'number' ? detail | 0 : this.#number(detail));
    this.#mix(content | 0);
    this.#mix(floor(at * 1024) | 0);
    this.#listener?.({ kind, at, subject, detail });
  }

  /** 16 hex digits over all events so far. */
  get hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0');
  }

  #mix(value: number): void {
    this.#low = imul(this.#low ^ (value & 0xffff), FNV_PRIME);
    this.#low = imul(this.#low ^ (value >>> 16), FNV_PRIME);
    this.#high = imul(this.#high ^ this.#low, FNV_PRIME) ^ (this.#high >>> 13);
  }

  #number(text: string): number {
    const known = this.#interned.get(text);
    if (known !== undefined) return known;
    let hash = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) hash = imul(hash ^ text.charCodeAt(i), FNV_PRIME);
    this.#interned.set(text, hash);
    return hash;
  }
}
