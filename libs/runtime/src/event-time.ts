// Owns the event time of a task: what its event alarms go by, and its operators where time moves without a record of theirs.
//
//   by records      no source has a watermark strategy: the highest timestamp seen, as Kafka Streams' stream time
//   by watermarks   the minimum over the partitions that have a strategy and are not idle; all idle: the maximum (as Flink's)
//   quiet           every input read to its end for `quietAfterMs`: time moves on with the wall clock, from where it stood
//
// It never goes back, and is committed with the epoch, so that a restart agrees with what was emitted. What generators saw is not
// committed: after a restart time stands still until they have caught up with it.
import type { SourceSpec, WatermarkGenerator } from '#libs/topology';
import type { RecordQueue } from './record-queue.ts';

/** One input partition as event time sees it. */
interface InputTime {
  readonly queue: RecordQueue;
  readonly generator: WatermarkGenerator | null;
  readonly idleAfterMs: number | null;
  watermark: number;
  /** Monotonic time since when it is read to its end; NaN: it is not. */
  quietSince: number;
  idle: boolean;
}

/** Does event time follow watermarks, for a task with these sources? */
export function hasWatermarks(sources: readonly SourceSpec[]): boolean {
  return sources.some(({ watermarks }) => watermarks !== null && watermarks.generator !== null);
}

export class EventTime {
  /** Milliseconds; -1 before anything is known. By records: `observe` it before it is read. */
  now: number;
  /** Time that operators must know of although they were shown no record of it. */
  operatorsAt: number;
  /** The wall clock has a say: `onTurn` is to be called. */
  readonly hasWallRules: boolean;
  readonly byWatermarks: boolean;

  private readonly inputs: readonly InputTime[];
  private readonly quietAfterMs: number | null;
  private readonly isCaughtUp: (queue: RecordQueue) => boolean;
  /** Event time when all inputs fell quiet; NaN: they have not. */
  private quietBase = Number.NaN;

  constructor(
    queues: readonly RecordQueue[],
    isCaughtUp: (queue: RecordQueue) => boolean,
    committed: number,
  ) {
    this.isCaughtUp = isCaughtUp;
    this.now = committed;
    this.byWatermarks = hasWatermarks(queues.map(({ source }) => source));
    this.operatorsAt = this.byWatermarks ? committed : -1;
    this.inputs = queues.map((queue) => {
      const spec = queue.source.watermarks;
      return {
        queue,
        generator: spec?.generator?.() ?? null,
        idleAfterMs: spec?.idleAfterMs ?? null,
        watermark: -1,
        quietSince: Number.NaN,
        idle: false,
      };
    });
    const bounds = queues.flatMap(({ source }) => source.watermarks?.quietAfterMs ?? []);
    this.quietAfterMs = bounds.length === 0 ? null : Math.max(...bounds);
    this.hasWallRules =
      this.quietAfterMs !== null || this.inputs.some(({ idleAfterMs }) => idleAfterMs !== null);
  }

  /** By records: the task's stream time. */
  observe(streamTime: number): void {
    if (!this.byWatermarks && streamTime > this.now) this.now = streamTime;
  }

  /** By watermarks: a record is processed. True: time moved. */
  onRecord(queue: RecordQueue, timestamp: number): boolean {
    for (const input of this.inputs) {
      if (input.queue !== queue) continue;
      if (input.generator === null) return false;
      input.generator.onRecord(timestamp);
      input.idle = false;
      const watermark = input.generator.watermark();
      if (!(watermark > input.watermark)) return false;
      input.watermark = watermark;
      return this.combine();
    }
    return false;
  }

  /** Between records. `monotonic` in milliseconds. */
  onTurn(monotonic: number): void {
    let quietSince = -Infinity;
    let allQuiet = true;
    let fellIdle = false;
    for (const input of this.inputs) {
      if (!this.isCaughtUp(input.queue)) {
        input.quietSince = Number.NaN;
        input.idle = false;
        allQuiet = false;
        continue;
      }
      if (Number.isNaN(input.quietSince)) input.quietSince = monotonic;
      if (input.quietSince > quietSince) quietSince = input.quietSince;
      if (!input.idle && input.idleAfterMs !== null && monotonic - input.quietSince >= input.idleAfterMs) {
        input.idle = true;
        fellIdle = true;
      }
    }
    if (fellIdle && this.byWatermarks && this.combine() && !Number.isNaN(this.quietBase)) {
      this.quietBase = Math.max(this.quietBase, this.now);
    }
    if (this.quietAfterMs === null) return;
    if (!allQuiet) {
      this.quietBase = Number.NaN;
      return;
    }
    if (Number.isNaN(this.quietBase)) this.quietBase = this.now;
    if (this.quietBase < 0 || monotonic - quietSince < this.quietAfterMs) return;
    this.moveTo(Math.floor(this.quietBase + monotonic - quietSince));
  }

  /** The watermark of the task from those of its partitions. True: it moved. */
  private combine(): boolean {
    let lowest = Infinity;
    let highest = -1;
    for (const { generator, idle, watermark } of this.inputs) {
      if (generator === null) continue;
      if (watermark > highest) highest = watermark;
      if (!idle && watermark < lowest) lowest = watermark;
    }
    return this.moveTo(lowest === Infinity ? highest : lowest);
  }

  private moveTo(time: number): boolean {
    if (!(time > this.now)) return false;
    this.now = time;
    this.operatorsAt = time;
    return true;
  }
}
