// Outputs with windowed keys as one line each.
import type { Windowed } from '#libs/serde';
import type { Driver } from './driver.ts';

/** `key@start-end=value@timestamp`. */
export function windowLines(driver: Driver, topic = 'out'): string[] {
  return driver.outputs(topic).map(({ key, value, timestamp }) => {
    const { key: inner, window } = key as Windowed<unknown>;
    return `${String(inner)}@${window.start}-${window.end}=${JSON.stringify(value)}@${timestamp}`;
  });
}
