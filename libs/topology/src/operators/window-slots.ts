// Owns which windows a time is in, for windows that do not depend on the records: tumbling, hopping, cumulative, unlimited.
// What is made of a window (its object, its suffix in the store) is made once and shared by all records of the window.
// Source of the rules: TimeWindows.windowsFor and UnlimitedWindows.windowsFor of Kafka Streams.
import { orderedTime } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { TimeWindow } from '#libs/serde';
import type { CumulativeWindows, TimeWindows, UnlimitedWindows } from '../options/windows.ts';

export type AlignedWindows = TimeWindows | CumulativeWindows | UnlimitedWindows;

/** One window at one operator. */
export interface WindowSlot {
  readonly window: TimeWindow;
  /** Exclusive; `Infinity`: it never closes. */
  readonly end: number;
  /** Of its row in the store. */
  readonly suffix: BinaryString;
}

/** Windows remembered; more are made again. */
const SLOTS_KEPT_MAX = 1024;

/** The windows of one time. One object per task; `slots` is good until the next `assign`. */
export abstract class WindowSlots {
  /** The windows of the time assigned last, earliest first: the first `count` of them. */
  readonly slots: WindowSlot[] = [];
  count = 0;
  private readonly made = new Map<number, WindowSlot>();

  abstract assign(timestamp: number): void;
  /** The window that ends there. */
  abstract slotEnding(end: number): WindowSlot;
  /** May a window end after `before` and not after `after`? */
  abstract closesBetween(before: number, after: number): boolean;

  protected slot(start: number, end: number, id: number): WindowSlot {
    let slot = this.made.get(id);
    if (slot === undefined) {
      if (this.made.size >= SLOTS_KEPT_MAX) this.made.clear();
      slot = { window: new TimeWindow(start, end), end, suffix: this.suffixOf(start, end) };
      this.made.set(id, slot);
    }
    return slot;
  }

  protected suffixOf(start: number, _end: number): BinaryString {
    return orderedTime(start);
  }
}

class HoppingSlots extends WindowSlots {
  private readonly sizeMs: number;
  private readonly advanceMs: number;
  private first = -1;
  private last = -1;

  constructor({ sizeMs, advanceMs }: TimeWindows) {
    super();
    this.sizeMs = sizeMs;
    this.advanceMs = advanceMs;
  }

  assign(timestamp: number): void {
    const { sizeMs, advanceMs } = this;
    const earliest = timestamp - sizeMs + advanceMs;
    const first = earliest > 0 ? earliest - (earliest % advanceMs) : 0;
    const last = timestamp - (timestamp % advanceMs);
    if (first === this.first && last === this.last) return;
    this.first = first;
    this.last = last;
    let count = 0;
    for (let start = first; start <= last; start += advanceMs) {
      this.slots[count++] = this.slot(start, start + sizeMs, start);
    }
    this.count = count;
  }

  closesBetween(before: number, after: number): boolean {
    const { sizeMs, advanceMs } = this;
    return Math.floor((after - sizeMs) / advanceMs) > Math.floor((before - sizeMs) / advanceMs);
  }

  slotEnding(end: number): WindowSlot {
    const start = end - this.sizeMs;
    return this.slot(start, end, start);
  }
}

class CumulativeSlots extends WindowSlots {
  private readonly maxSizeMs: number;
  private readonly stepMs: number;
  private step = -1;

  constructor({ maxSizeMs, stepMs }: CumulativeWindows) {
    super();
    this.maxSizeMs = maxSizeMs;
    this.stepMs = stepMs;
  }

  assign(timestamp: number): void {
    const { maxSizeMs, stepMs } = this;
    const step = timestamp - (timestamp % stepMs);
    if (step === this.step) return;
    this.step = step;
    const start = timestamp - (timestamp % maxSizeMs);
    let count = 0;
    for (let end = step + stepMs; end <= start + maxSizeMs; end += stepMs) {
      this.slots[count++] = this.slot(start, end, end);
    }
    this.count = count;
  }

  closesBetween(before: number, after: number): boolean {
    return Math.floor(after / this.stepMs) > Math.floor(before / this.stepMs);
  }

  slotEnding(end: number): WindowSlot {
    const start = end - 1 - ((end - 1) % this.maxSizeMs);
    return this.slot(start, end, end);
  }

  protected override suffixOf(start: number, end: number): BinaryString {
    return (orderedTime(start) + orderedTime(end)) as BinaryString;
  }
}

class UnlimitedSlot extends WindowSlots {
  private readonly startMs: number;

  constructor({ startMs }: UnlimitedWindows) {
    super();
    this.startMs = startMs;
    this.slots.push(this.slotEnding());
  }

  assign(timestamp: number): void {
    this.count = timestamp >= this.startMs ? 1 : 0;
  }

  closesBetween(): boolean {
    return false;
  }

  slotEnding(): WindowSlot {
    return this.slot(this.startMs, Infinity, this.startMs);
  }
}

export function windowSlots(windows: AlignedWindows): WindowSlots {
  if (windows.kind === 'time') return new HoppingSlots(windows);
  return windows.kind === 'cumulative' ? new CumulativeSlots(windows) : new UnlimitedSlot(windows);
}
