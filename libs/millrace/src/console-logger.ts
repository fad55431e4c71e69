// Owns the logger an application has when it is given none: one line a message on stderr. It never writes to stdout, which is the
// program's own.
import type { LogFields, Logger } from '#libs/core';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevel = (typeof LEVELS)[number];

/** Writes messages of `level` and above to stderr, fields as JSON behind them. */
export function createConsoleLogger(level: LogLevel = 'info'): Logger {
  const threshold = LEVELS.indexOf(level);
  const at = (own: LogLevel): Logger['info'] => {
    if (LEVELS.indexOf(own) < threshold) return () => undefined;
    return (message, fields) =>
      process.stderr.write(`[millrace] ${own} ${asOneLine(message)}${fieldsText(fields)}\n`);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** What is from outside may be in a message: it must neither look like another message nor steer a terminal. */
function asOneLine(message: string): string {
  return message
    .replaceAll('\n', '\n    ')
    .replaceAll(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

// eslint-disable-next-line no-control-regex -- these are what is looked for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

function fieldsText(fields: LogFields | undefined): string {
  if (fields === undefined) return '';
  try {
    const text = JSON.stringify(fields);
    return text === '{}' ? '' : ` ${text}`;
  } catch {
    // A cycle or a BigInt: the message alone must do.
    return '';
  }
}
