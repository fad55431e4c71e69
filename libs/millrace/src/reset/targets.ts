// Owns where each partition is to be read from again: what a target means for it, kept within what it holds.
import type { BrokerAdmin } from '#libs/broker';
import { formatTopicPartition } from '#libs/core';
import type { TopicPartition } from '#libs/core';
import { invalid } from './errors.ts';
import type { ResetOffset, ResetTarget } from './contract.ts';

const DATETIME = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/;
const ISO_DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/;
const PLAIN_DURATION = /^(\d+(?:\.\d+)?) ?(ms|s|min|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of `YYYY-MM-DDTHH:mm:SS.sss`, in UTC where it names no zone, as Kafka's tools take it. @throws MILLRACE_INVALID_CONFIG */
export function parseDatetime(text: string): number {
  const [, day, time = '00:00', zone = 'Z'] = DATETIME.exec(text.trim()) ?? [];
  const ms =
    day === undefined
      ? Number.NaN
      : Date.parse(`${day}T${time}${zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')}`);
  // Date.parse moves the 30th of February on to March.
  const isDay = day !== undefined && new Date(`${day}T00:00Z`).toJSON()?.startsWith(day) === true;
  if (Number.isNaN(ms) || !isDay)
    throw invalid(
      `"${text}" is not a date and time.`,
      'Write it as 2026-01-31T08:00:00.000, with Z or an offset such as +01:00 behind it; UTC without.',
    );
  return ms;
}

/** Milliseconds of `PnDTnHnMnS`, or of `90 s`, `15 min`, `2 h`, `3 d`. @throws MILLRACE_INVALID_CONFIG */
export function parseDuration(text: string): number {
  const plain = PLAIN_DURATION.exec(text.trim());
  if (plain !== null) return Math.round(Number(plain[1]) * UNIT_MS[plain[2]!]!);
  const iso = ISO_DURATION.exec(text.trim());
  const parts = iso?.slice(1).map((part) => Number(part ?? 0));
  if (parts === undefined || !/\d/.test(text) || text.trim().endsWith('T'))
    throw invalid(
      `"${text}" is not a duration.`,
      'Write it as PT1H30M or P2D, or as 90 s, 15 min, 2 h, 3 d.',
    );
  const [d = 0, h = 0, m = 0, s = 0] = parts;
  return Math.round(d * UNIT_MS['d']! + h * UNIT_MS['h']! + m * UNIT_MS['m']! + s * 1_000);
}

/** @throws MILLRACE_INVALID_CONFIG */
export function checkTarget(target: ResetTarget): void {
  if (typeof target === 'string') return;
  const [name, value] = Object.entries(target)[0] ?? ['target', Number.NaN];
  const isWhole = Number.isSafeInteger(value) && (name === 'shiftBy' || Number(value) >= 0);
  if (!isWhole) throw invalid(`The ${name} of the reset is ${String(value)}.`, 'Give a whole number.');
}

export interface CurrentOffset extends TopicPartition {
  /** `null`: nothing is committed. */
  readonly offset: number | null;
}

/** @throws MILLRACE_INVALID_CONFIG `shiftBy` from nothing. */
export async function offsetsFor(
  admin: BrokerAdmin,
  current: readonly CurrentOffset[],
  target: ResetTarget,
): Promise<ResetOffset[]> {
  const [starts, ends] = await Promise.all([
    admin.offsets(current, 'earliest', 'read_committed'),
    admin.offsets(current, 'latest', 'read_committed'),
  ]);
  const byTime =
    typeof target === 'object' && 'timestampMs' in target
      ? await admin.offsets(current, target, 'read_committed')
      : new Map<string, number>();
  return current.map(({ topic, partition, offset: from }) => {
    const key = formatTopicPartition(topic, partition);
    const [start, end] = [starts.get(key) ?? 0, ends.get(key) ?? 0];
    const wanted = wantedOffset(target, { start, end, from, byTime: byTime.get(key) ?? end, key });
    const to = Math.min(Math.max(wanted, start), Math.max(start, end));
    return { topic, partition, from, to, clamped: to !== wanted };
  });
}

function wantedOffset(
  target: ResetTarget,
  {
    start,
    end,
    from,
    byTime,
    key,
  }: { start: number; end: number; from: number | null; byTime: number; key: string },
): number {
  if (target === 'earliest') return start;
  if (target === 'latest') return end;
  if ('timestampMs' in target) return byTime;
  if ('offset' in target) return target.offset;
  if (from === null)
    throw invalid(
      `There is no committed offset of ${key} to count from.`,
      'Reset to a time, an offset, the earliest or the latest.',
    );
  return from + target.shiftBy;
}
