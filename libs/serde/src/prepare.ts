// Owns the walk over serdes and the serdes inside them that prepares each for all it is used for.
import { asError } from '#libs/core';
import type { Serde, SerdeUse } from './serde.ts';

/**
 * Awaits `prepare` of every serde given and of those inside. All are told before any failure is thrown, and one that can be retried is thrown
 * only where no other is there.
 */
export async function prepareSerdes(uses: Iterable<readonly [Serde<unknown>, SerdeUse]>): Promise<void> {
  const bySerde = new Map<Serde<unknown>, SerdeUse[]>();
  for (const [serde, use] of uses) collect(serde, use, bySerde);
  const outcomes = await Promise.allSettled(
    Array.from(bySerde, ([serde, ofSerde]) => serde.prepare!(ofSerde)),
  );
  let failure: unknown;
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') continue;
    const reason: unknown = outcome.reason;
    if (failure === undefined || isRetriable(failure)) failure = reason;
  }
  if (failure !== undefined) throw asError(failure);
}

function collect(serde: Serde<unknown>, use: SerdeUse, into: Map<Serde<unknown>, SerdeUse[]>): void {
  if (serde.prepare !== undefined) {
    const uses = into.get(serde);
    if (uses === undefined) into.set(serde, [use]);
    else uses.push(use);
  }
  for (const { serde: inner, role } of serde.inner ?? []) {
    collect(
      inner,
      role === undefined || use.topic === null ? use : { ...use, topic: `${use.topic}-${role}` },
      into,
    );
  }
}

function isRetriable(error: unknown): boolean {
  return error instanceof Error && error.name === 'RetriableError';
}
