// Owns the error of a value that does not encode or bytes that do not decode.
// A payload may hold secrets: of it the error shows its length and a short prefix in hexadecimal, nothing else.
import { MillraceError } from '#libs/core';
import type { BinaryString } from '#libs/core';

const SHOWN_BYTES_MAX = 8;

export interface SerdeErrorDetails {
  /** What is wrong, as the end of a sentence, without payload. */
  readonly why: string;
  /** Where in the payload, in bytes from its start; in characters for text. */
  readonly position?: number | undefined;
  readonly payload?: BinaryString | string | undefined;
  readonly cause?: unknown;
}

export class SerdeError extends MillraceError {
  readonly serde: string;
  readonly position: number | undefined;

  constructor(
    code: 'MILLRACE_DESERIALIZATION_FAILED' | 'MILLRACE_SERIALIZATION_FAILED',
    serde: string,
    details: SerdeErrorDetails,
  ) {
    const { why, position, payload, cause } = details;
    const decoding = code === 'MILLRACE_DESERIALIZATION_FAILED';
    const where = position === undefined ? '' : ` at position ${position}`;
    const shown = payload === undefined ? '' : ` (${describePayload(payload)})`;
    super({
      code,
      message: decoding
        ? `Serde \`${serde}\` cannot decode a record${shown}: ${why}${where}.`
        : `Serde \`${serde}\` cannot encode a value: ${why}.`,
      remedy: decoding
        ? 'Use the serde its producer used, or give the source a failurePolicy that skips such records or sends them to a dead-letter topic.'
        : 'Give the operator a serde that fits the values it is given.',
      cause,
      context: { serde, ...(position === undefined ? {} : { position }) },
    });
    this.serde = serde;
    this.position = position;
  }
}

export function deserializationFailed(serde: string, details: SerdeErrorDetails): SerdeError {
  return new SerdeError('MILLRACE_DESERIALIZATION_FAILED', serde, details);
}

export function serializationFailed(serde: string, details: SerdeErrorDetails): SerdeError {
  return new SerdeError('MILLRACE_SERIALIZATION_FAILED', serde, details);
}

function describePayload(payload: string): string {
  const prefix = Buffer.from(payload.slice(0, SHOWN_BYTES_MAX), 'latin1').toString('hex');
  return `${payload.length} bytes, beginning ${prefix === '' ? 'nowhere' : `0x${prefix}`}`;
}
