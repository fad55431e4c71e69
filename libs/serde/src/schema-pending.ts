// Owns the signal that a serde waits for something it has to look up once, such as a schema. It is no failure: whoever
// runs the record undoes it, awaits `ready` and runs it again.

/** Thrown by a serde, synchronously, before any effect. */
export class SchemaPending extends Error {
  /** Resolves when the same call may be tried again; rejects with what the look-up failed with. */
  readonly ready: Promise<void>;

  constructor(what: string, ready: Promise<void>) {
    super(`Waiting for ${what}`);
    this.name = 'SchemaPending';
    this.ready = ready;
  }
}
