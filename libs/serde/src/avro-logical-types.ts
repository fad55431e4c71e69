// Owns a set of classes for Avro's logical types, for avsc: what values of them are in JavaScript.
//
//   timestamp-millis, local-timestamp-millis, date    Date (a date is midnight UTC)
//   uuid                                              string, checked
//   decimal                                           string of digits, such as '12.50': exact, with as many after the point as the scale
//
// What is not here (timestamp-micros, time-millis, …) stays the number that it is.
import type * as Avsc from 'avsc';
import type { Type } from 'avsc';
import { loadAvsc } from './avro.ts';
import type { AvroLogicalTypes } from './avro.ts';

const DAY_MS = 86_400_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?$/;

let made: AvroLogicalTypes | undefined;

/** For the option `logicalTypes`. Add your own: `{ ...avroLogicalTypes(), 'timestamp-micros': MyMicros }`. */
export function avroLogicalTypes(): AvroLogicalTypes {
  made ??= make(loadAvsc());
  return made;
}

function make({ types }: typeof Avsc): AvroLogicalTypes {
  /** Between what is written and what JavaScript has: `undefined` is no value of the type. */
  abstract class Converted extends types.LogicalType {
    protected override _resolve(type: Type): ((value: unknown) => unknown) | undefined {
      if (this.isLike(type)) return (value) => value;
      return this.reads(type.typeName) ? (value) => this._fromValue(value) as unknown : undefined;
    }
    /** Is what `type` reads a value of this type already? */
    protected isLike(type: Type): boolean {
      return type.typeName === this.typeName;
    }
    protected reads(typeName: string): boolean {
      return typeName === this.underlyingType.typeName;
    }
  }

  class Timestamp extends Converted {
    protected override _fromValue(value: unknown): Date {
      return new Date(value as number);
    }
    protected override _toValue(value: unknown): number | undefined {
      return value instanceof Date && !Number.isNaN(value.getTime()) ? value.getTime() : undefined;
    }
    protected override reads(typeName: string): boolean {
      return typeName === 'long' || typeName === 'int';
    }
  }

  class DateOnly extends Converted {
    protected override _fromValue(value: unknown): Date {
      return new Date((value as number) * DAY_MS);
    }
    protected override _toValue(value: unknown): number | undefined {
      if (!(value instanceof Date)) return undefined;
      const days = value.getTime() / DAY_MS;
      return Number.isInteger(days) ? days : undefined;
    }
  }

  class Uuid extends Converted {
    protected override _fromValue(value: unknown): unknown {
      return value;
    }
    protected override _toValue(value: unknown): string | undefined {
      return typeof value === 'string' && UUID.test(value) ? value : undefined;
    }
  }

  class Decimal extends Converted {
    readonly #precision: number;
    readonly #scale: number;

    constructor(schema: Avsc.Schema, options?: unknown) {
      super(schema, options);
      const { precision, scale = 0 } = schema as unknown as { precision?: number; scale?: number };
      const sound =
        Number.isInteger(precision) &&
        precision! > 0 &&
        Number.isInteger(scale) &&
        scale >= 0 &&
        scale <= precision!;
      // By the specification a logical type that is not sound is ignored: avsc does so when its constructor throws.
      if (!sound || !['bytes', 'fixed'].includes(this.underlyingType.typeName))
        throw new TypeError('no decimal');
      this.#precision = precision!;
      this.#scale = scale;
    }

    protected override _fromValue(value: unknown): string {
      return decimalText(value as Buffer, this.#scale);
    }

    protected override _toValue(value: unknown): Buffer | undefined {
      const unscaled = unscaledOf(value, this.#scale, this.#precision);
      if (unscaled === undefined) return undefined;
      const { underlyingType } = this;
      const size =
        underlyingType.typeName === 'fixed' ? (underlyingType as unknown as { size: number }).size : null;
      return twosComplement(unscaled, size);
    }

    protected override isLike(type: Type): boolean {
      return type instanceof Decimal && type.#scale === this.#scale && type.#precision <= this.#precision;
    }
    /** Bytes without a scale could be any number. */
    protected override reads(): boolean {
      return false;
    }
    protected override _export(schema: Avsc.Schema): void {
      Object.assign(schema as object, { precision: this.#precision, scale: this.#scale });
    }
  }

  return {
    'timestamp-millis': Timestamp,
    'local-timestamp-millis': Timestamp,
    date: DateOnly,
    uuid: Uuid,
    decimal: Decimal,
  };
}

/** `undefined`: no decimal, or more digits than there may be. */
function unscaledOf(value: unknown, scale: number, precision: number): bigint | undefined {
  const parts = typeof value === 'string' ? DECIMAL.exec(value) : null;
  if (parts === null) return undefined;
  const [, sign, whole = '', fraction = ''] = parts;
  if (fraction.length > scale) return undefined;
  const digits = (whole + fraction.padEnd(scale, '0')).replace(/^0+(?=\d)/, '');
  if (digits.length > precision) return undefined;
  const unscaled = BigInt(digits);
  return sign === '-' ? -unscaled : unscaled;
}

/** Big-endian; as short as it can be where there is no `size`. `undefined`: it does not go in. */
function twosComplement(value: bigint, size: number | null): Buffer | undefined {
  const bits = (value < 0n ? ~value : value).toString(2).length + (value === 0n || value === -1n ? 0 : 1);
  const length = size ?? Math.max(1, Math.ceil(bits / 8));
  if (bits > length * 8) return undefined;
  const bytes = Buffer.alloc(length);
  let rest = BigInt.asUintN(length * 8, value);
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

function decimalText(bytes: Buffer, scale: number): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  value = BigInt.asIntN(bytes.length * 8, value);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const sign = value < 0n ? '-' : '';
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
