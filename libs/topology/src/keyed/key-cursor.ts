// Owns which key, and which moment, the state handles and timers of one keyed operator are about.
import type { BinaryString } from '#libs/core';

export class KeyCursor {
  /** Encoded key of the record or timer in process. */
  key: BinaryString = '' as BinaryString;
  /** Event time of the operator, milliseconds. */
  eventTime = -1;
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly wallTime: () => number;

  constructor(wallTime: () => number) {
    this.wallTime = wallTime;
  }
}
