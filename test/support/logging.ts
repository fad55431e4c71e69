// Owns the logger of specs: silent, unless an environment variable asks to see.
import { silentLogger } from '#libs/core';
import type { LogFields, Logger } from '#libs/core';

export function createSilentOr(variable: string): Logger {
  if (process.env[variable] === undefined) return silentLogger;
  const print =
    (level: string) =>
    (message: string, fields?: LogFields): void => {
      const extra = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
      process.stderr.write(`${new Date().toISOString()} ${level} ${message}${extra}\n`);
    };
  return { debug: print('debug'), info: print('info'), warn: print('warn'), error: print('error') };
}
