// Owns how nested configuration becomes a list: paths with dots, and values as they would be written. Pure.

import { bytes, duration } from './format.ts';

export interface Setting {
  readonly path: string;
  readonly value: string;
  /** The same for reading: of a size or a time; '' otherwise. */
  readonly readable: string;
  /** It has a value that is not told. */
  readonly isHidden: boolean;
}

/** As the server writes what it does not show. */
const NOT_SHOWN = '(set, not shown)';

export function settingsOf(configuration: unknown, path = ''): Setting[] {
  if (Array.isArray(configuration)) return [setting(path, configuration.map(written).join(', ') || 'none')];
  if (typeof configuration === 'object' && configuration !== null) {
    return Object.entries(configuration).flatMap(([name, value]) =>
      settingsOf(value, path === '' ? name : `${path}.${name}`),
    );
  }
  return [setting(path, written(configuration))];
}

function setting(path: string, value: string): Setting {
  return { path, value, readable: readable(path, value), isHidden: value === NOT_SHOWN };
}

/** By the unit that names of options end in. */
function readable(path: string, value: string): string {
  if (!/^\d{4,}$/.test(value)) return '';
  if (/Ms(Max|Min)?$/.test(path)) return duration(Number(value));
  return /Bytes/.test(path) ? bytes(Number(value)) : '';
}

function written(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
