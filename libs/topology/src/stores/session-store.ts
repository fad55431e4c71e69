// Owns the face of a session store: a group per key, end and start of the session as suffix, so that sessions come by their end.
// Source of the rules: RocksDBSessionStore and InMemorySessionStore of Kafka Streams.
import { orderedTime, readOrderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { Codec } from '#libs/serde';
import type { KeyValue } from '../options.ts';
import type { SessionBounds, SessionStore, SessionStoreOptions, StoreBuilder } from '../options/stores.ts';
import type { StoreSpec } from '../plan.ts';
import type { OperatorClock, OrderedStorePort } from '../ports.ts';
import type { StoreSite } from './store-site.ts';
import { checkedTime, encodedKey, expiringSpec, retentionProblem } from './store-spec.ts';

const TIME_BYTES = 8;

function suffixOf({ start, end }: SessionBounds): BinaryString {
  checkedTime('start of the session', start);
  checkedTime('end of the session', end);
  return (orderedTime(end) + orderedTime(start)) as BinaryString;
}

class SessionFace implements SessionStore<unknown, unknown> {
  readonly name: string;
  readonly #keyCodec: Codec<unknown>;
  readonly #port: OrderedStorePort;
  readonly #clock: OperatorClock;
  readonly #retentionMs: number;

  constructor(spec: StoreSpec, retentionMs: number, site: StoreSite) {
    this.name = spec.name;
    this.#keyCodec = compileCodec(spec.keySerde);
    this.#port = site.orderedStore(spec.name);
    this.#clock = site.clock(spec.name);
    this.#retentionMs = retentionMs;
  }

  put(key: unknown, session: SessionBounds, value: unknown): void {
    const group = encodedKey(this.#keyCodec, key);
    const suffix = suffixOf(session);
    if (this.#clock.observe(session.end) - this.#retentionMs >= session.end) return;
    this.#port.set(this.#port.row(group, suffix), value ?? null, session.end);
  }

  remove(key: unknown, session: SessionBounds): void {
    this.put(key, session, null);
  }

  fetchSession(key: unknown, start: number, end: number): unknown {
    const group = encodedKey(this.#keyCodec, key);
    if (end < this.#earliest()) return null;
    return this.#port.value(this.#port.row(group, suffixOf({ start, end }))) ?? null;
  }

  findSessions(key: unknown, earliestEnd: number, latestStart: number): KeyValue<SessionBounds, unknown>[] {
    return this.#find(key, earliestEnd, latestStart, false);
  }

  backwardFindSessions(
    key: unknown,
    earliestEnd: number,
    latestStart: number,
  ): KeyValue<SessionBounds, unknown>[] {
    return this.#find(key, earliestEnd, latestStart, true);
  }

  fetch(key: unknown): KeyValue<SessionBounds, unknown>[] {
    return this.#find(key, 0, Infinity, false);
  }

  backwardFetch(key: unknown): KeyValue<SessionBounds, unknown>[] {
    return this.#find(key, 0, Infinity, true);
  }

  /** Sessions that end before it are forgotten. */
  #earliest(): number {
    return this.#clock.now - this.#retentionMs + 1;
  }

  #find(
    key: unknown,
    earliestEnd: number,
    latestStart: number,
    descending: boolean,
  ): KeyValue<SessionBounds, unknown>[] {
    const group = encodedKey(this.#keyCodec, key);
    const port = this.#port;
    const found: KeyValue<SessionBounds, unknown>[] = [];
    const from = orderedTime(Math.max(checkedTime('earliest end', earliestEnd), this.#earliest()));
    port.range(
      group,
      from,
      null,
      (row) => {
        const suffix = port.suffixOf(row);
        const start = readOrderedTime(suffix, TIME_BYTES);
        if (start <= latestStart) found.push([{ start, end: readOrderedTime(suffix, 0) }, port.value(row)]);
      },
      descending,
    );
    return found;
  }
}

export function sessionStoreBuilder<K, V, N extends string>(
  name: N,
  options: SessionStoreOptions<K, V>,
): StoreBuilder<SessionStore<K, V>, N> {
  const { retentionMs = NaN } = (options ?? {}) as Partial<typeof options>;
  const spec = expiringSpec(name, options ?? {}, retentionMs, 'sessions');
  return {
    name,
    spec,
    problem: retentionProblem('retentionMs', retentionMs),
    open: (site) => new SessionFace(spec, retentionMs, site) as SessionStore<K, V>,
  };
}
