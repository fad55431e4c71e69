// Owns the way of Millrace's log lines into the Nest application's logger.
import { Logger as NestLogger } from '@nestjs/common';
import type { LogFields, Logger } from '#libs/millrace';

/** Logs through the application's own logger under `context`. */
export function createNestLogger(context = 'Millrace'): Logger {
  const nest = new NestLogger(context);
  return {
    debug: (message, fields) => nest.debug(withFields(message, fields)),
    info: (message, fields) => nest.log(withFields(message, fields)),
    warn: (message, fields) => nest.warn(withFields(message, fields)),
    error: (message, fields) => nest.error(withFields(message, fields)),
  };
}

function withFields(message: string, fields: LogFields | undefined): string {
  if (fields === undefined || Object.keys(fields).length === 0) return message;
  try {
    return `${message} ${JSON.stringify(fields)}`;
  } catch {
    // A cycle or a BigInt: the message alone must do.
    return message;
  }
}
