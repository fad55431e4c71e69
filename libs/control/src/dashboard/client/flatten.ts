// Owns how nested configuration becomes a list: paths with dots, and values as they would be written. Pure.

export interface Setting {
  readonly path: string;
  readonly value: string;
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
  return { path, value, isHidden: value === NOT_SHOWN };
}

function written(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}
