// Owns how numbers, sizes and times read. Pure; a value that is not known reads as a dash.

export const UNKNOWN = '–';

const STEPS = [
  { from: 1e12, unit: 'T' },
  { from: 1e9, unit: 'G' },
  { from: 1e6, unit: 'M' },
  { from: 1e3, unit: 'k' },
] as const;

/** `9,999`, then `12.3k`, `1.23M`: three digits at least. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  if (Math.abs(value) < 10_000) return grouped(Math.round(value));
  for (const { from, unit } of STEPS) {
    if (Math.abs(value) >= from) return `${threeDigits(value / from)}${unit}`;
  }
  return UNKNOWN;
}

/** Every digit, in groups. */
export function grouped(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** Of records per second. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (value > 0 && value < 10) return `${value.toFixed(1)}/s`;
  return `${count(value)}/s`;
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (value < 1_024) return `${Math.round(value)} B`;
  let size = value;
  for (const unit of ['KiB', 'MiB', 'GiB', 'TiB']) {
    size /= 1_024;
    if (size < 1_024 || unit === 'TiB') return `${threeDigits(size)} ${unit}`;
  }
  return UNKNOWN;
}

export function bytesPerSecond(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : `${bytes(value)}/s`;
}

/** `12 ms`, `3.2 s`, `4 min 12 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return UNKNOWN;
  if (ms < 10 && ms > 0) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3_600) return pair(Math.floor(whole / 60), 'min', whole % 60, 's');
  const minutes = Math.floor(whole / 60);
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.floor(minutes / 60);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** `14:03:59`, of the reader's time zone. */
export function clockTime(at: number | null | undefined): string {
  if (at === null || at === undefined) return UNKNOWN;
  return new Date(at).toLocaleTimeString('en-GB', { hour12: false });
}

/** `2026-03-01 14:03:59`, of the reader's time zone. */
export function dateTime(at: number | null | undefined): string {
  if (at === null || at === undefined) return UNKNOWN;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  const two = (part: number): string => String(part).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? UNKNOWN : `${Math.round(share * 100)} %`;
}

/** `1 task`, `2 tasks`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Both ends of a long name tell more than one: `KSTREAM-AGG…0000000012`. */
export function shortened(text: string, charactersMax: number): string {
  const characters = [...text];
  if (characters.length <= charactersMax) return text;
  const tail = Math.floor((charactersMax - 1) * 0.45);
  const head = charactersMax - 1 - tail;
  return `${characters.slice(0, head).join('')}…${characters.slice(characters.length - tail).join('')}`;
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
