// Owns the windows that users declare, under Kafka Streams' names where it has them, and when results are emitted. It checks nothing:
// `windowedBy` does. All durations and times are milliseconds; `minutes(5)` and its like read better than 300_000.

export const seconds = (count: number): number => count * 1000;
export const minutes = (count: number): number => count * 60_000;
export const hours = (count: number): number => count * 3_600_000;
export const days = (count: number): number => count * 86_400_000;

/**
 * Windows of one size, aligned to the epoch: tumbling, or hopping with `advanceBy`. `[start, start + size)`. A window is closed once
 * stream time reaches its end and the grace period is over; what comes later is late.
 */
export class TimeWindows {
  readonly kind = 'time';
  readonly sizeMs: number;
  readonly advanceMs: number;
  readonly graceMs: number;

  private constructor(sizeMs: number, advanceMs: number, graceMs: number) {
    this.sizeMs = sizeMs;
    this.advanceMs = advanceMs;
    this.graceMs = graceMs;
  }

  static ofSizeWithNoGrace(sizeMs: number): TimeWindows {
    return new TimeWindows(sizeMs, sizeMs, 0);
  }

  static ofSizeAndGrace(sizeMs: number, graceMs: number): TimeWindows {
    return new TimeWindows(sizeMs, sizeMs, graceMs);
  }

  /** Hopping windows: a new one starts every `advanceMs`, at most the size. A record is in `size / advance` of them. */
  advanceBy(advanceMs: number): TimeWindows {
    return new TimeWindows(this.sizeMs, advanceMs, this.graceMs);
  }
}

/**
 * A window for each set of records of a key that lie within the time difference: one that ends with each record and one that starts just
 * behind it. `[start, start + timeDifference]`, both ends inclusive.
 */
export class SlidingWindows {
  readonly kind = 'sliding';
  readonly timeDifferenceMs: number;
  readonly graceMs: number;

  private constructor(timeDifferenceMs: number, graceMs: number) {
    this.timeDifferenceMs = timeDifferenceMs;
    this.graceMs = graceMs;
  }

  static ofTimeDifferenceWithNoGrace(timeDifferenceMs: number): SlidingWindows {
    return new SlidingWindows(timeDifferenceMs, 0);
  }

  static ofTimeDifferenceAndGrace(timeDifferenceMs: number, graceMs: number): SlidingWindows {
    return new SlidingWindows(timeDifferenceMs, graceMs);
  }
}

/**
 * Spans of activity of a key: records at most `gap` apart are in one session, and one that lies between two joins them.
 * `[first timestamp, last timestamp]`, both inclusive. A session is closed once stream time is past its end by gap and grace.
 */
export class SessionWindows {
  readonly kind = 'session';
  readonly gapMs: number;
  readonly graceMs: number;

  private constructor(gapMs: number, graceMs: number) {
    this.gapMs = gapMs;
    this.graceMs = graceMs;
  }

  static ofInactivityGapWithNoGrace(gapMs: number): SessionWindows {
    return new SessionWindows(gapMs, 0);
  }

  static ofInactivityGapAndGrace(gapMs: number, graceMs: number): SessionWindows {
    return new SessionWindows(gapMs, graceMs);
  }
}

/** One window without an end. Records before its start are in none. It never closes, so it has no late records and is never final. */
export class UnlimitedWindows {
  readonly kind = 'unlimited';
  readonly startMs: number;

  private constructor(startMs: number) {
    this.startMs = startMs;
  }

  /** From 1970 on. */
  static of(): UnlimitedWindows {
    return new UnlimitedWindows(0);
  }

  startOn(startMs: number): UnlimitedWindows {
    return new UnlimitedWindows(startMs);
  }
}

/**
 * Windows that share a start and grow by steps up to a maximum, as Flink's CUMULATE: with a day and an hour, every hour the day so far.
 * `[start, start + n * step)`. Kafka Streams has none. A record is in up to `maxSize / step` of them.
 */
export class CumulativeWindows {
  readonly kind = 'cumulative';
  readonly maxSizeMs: number;
  readonly stepMs: number;
  readonly graceMs: number;

  private constructor(maxSizeMs: number, stepMs: number, graceMs: number) {
    this.maxSizeMs = maxSizeMs;
    this.stepMs = stepMs;
    this.graceMs = graceMs;
  }

  /** `maxSizeMs` is a multiple of `stepMs`. */
  static ofMaxSizeAndStepWithNoGrace(maxSizeMs: number, stepMs: number): CumulativeWindows {
    return new CumulativeWindows(maxSizeMs, stepMs, 0);
  }

  static ofMaxSizeAndStepAndGrace(maxSizeMs: number, stepMs: number, graceMs: number): CumulativeWindows {
    return new CumulativeWindows(maxSizeMs, stepMs, graceMs);
  }
}

/**
 * Windows of a number of records of a key, in the order of arrival: Flink's countWindow. `[start, end)` are places in the key's sequence
 * of records, from 0 on. Kafka Streams has none. Time plays no part, so nothing is late; a window is closed by its last record.
 */
export class CountWindows {
  readonly kind = 'count';
  readonly size: number;
  readonly slide: number;

  private constructor(size: number, slide: number) {
    this.size = size;
    this.slide = slide;
  }

  static ofSize(size: number): CountWindows {
    return new CountWindows(size, size);
  }

  /** A new window starts every `slide` records, at most the size. Every window that closes has `size` records. */
  slideBy(slide: number): CountWindows {
    return new CountWindows(this.size, slide);
  }
}

/** Windows whose results are aggregated without merging. */
export type FixedWindows = TimeWindows | SlidingWindows | UnlimitedWindows | CumulativeWindows | CountWindows;

/** When a window's result goes on. */
export interface EmitStrategy {
  readonly kind: 'onWindowUpdate' | 'onWindowClose';
}

export const EmitStrategy = {
  /** With every record. The default. */
  onWindowUpdate: (): EmitStrategy => ({ kind: 'onWindowUpdate' }),
  /** Once, when the window closes: the record that moves stream time past its end and grace emits it. Costs a row per open window. */
  onWindowClose: (): EmitStrategy => ({ kind: 'onWindowClose' }),
} as const;
