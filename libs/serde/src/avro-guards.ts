// Owns what keeps hostile Avro data from costing more than its bytes, and from reaching prototypes. avsc trusts the counts of arrays and
// maps: a record of five bytes would make it fill an array of 2^31 items, or a skipped block send it back to where it was, for ever. So
// arrays and maps read and skip by what is here.
//
// 1. Nothing that takes bytes is read more often than there are bytes left in the record.
// 2. Of items without bytes (`null`, records without fields) there are few.
// 3. A block is skipped forwards, and not beyond the record.
// 4. No map gets the key `__proto__`: as a property of a plain object it would be its prototype. No record has such a field.
import type * as Avsc from 'avsc';
import type { Type } from 'avsc';

/** An array of `null` costs memory and no bytes, and says no more than its length. */
export const ITEMS_WITHOUT_BYTES_MAX = 64;

/** What avsc's types read from: `pos` may lie behind the end, where all that is read is nothing. */
interface Tap {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
  skipLong(): void;
  readString(): string;
  skipString(): void;
}

interface Reading {
  _read(tap: Tap): unknown;
  _skip(tap: Tap): void;
}

interface Parts extends Reading {
  readonly typeName: string;
  readonly itemsType?: Parts;
  readonly valuesType?: Parts;
  readonly underlyingType?: Parts;
  readonly types?: readonly Parts[];
  readonly fields?: readonly { readonly name: string; readonly type: Parts }[];
}

/** Why data is refused, as the end of a sentence, without payload. */
export class AvroRefusal extends Error {
  readonly why: string;

  constructor(why: string) {
    super(why);
    this.name = 'AvroRefusal';
    this.why = why;
  }
}

/** Where the record being decoded ends: it may lie in the middle of a batch. */
let recordEnd = Infinity;

/** What is read from now on ends at `end`; Infinity behind a record, since avsc also reads buffers of its own. */
export function limitRecordTo(end: number): void {
  recordEnd = end;
}

/** @throws Error a record of the type has a field that no object may have. */
export function refuseProtoFields(type: Type): Type {
  refuseIn(type as unknown as Parts, new Set());
  return type;
}

function refuseIn(type: Parts, seen: Set<Parts>): void {
  if (seen.has(type)) return;
  seen.add(type);
  for (const { name, type: part } of type.fields ?? []) {
    if (name === '__proto__') throw new Error('a record has a field `__proto__`');
    refuseIn(part, seen);
  }
  for (const part of type.types ?? []) refuseIn(part, seen);
  for (const part of [type.itemsType, type.valuesType, type.underlyingType])
    if (part !== undefined) refuseIn(part, seen);
}

type TypeClass = new (schema: unknown, options: unknown) => Parts;

/** avsc's types for arrays and maps, guarded. */
export interface GuardedTypes {
  readonly array: TypeClass;
  readonly map: TypeClass;
}

let made: GuardedTypes | undefined;

export function guardedTypes(avsc: typeof Avsc): GuardedTypes {
  made ??= make(avsc.types as unknown as { readonly ArrayType: TypeClass; readonly MapType: TypeClass });
  return made;
}

// `this` is a type, or what reads another type's data into it: both have the parts that are theirs.

function make({
  ArrayType,
  MapType,
}: {
  readonly ArrayType: TypeClass;
  readonly MapType: TypeClass;
}): GuardedTypes {
  class GuardedArray extends ArrayType {
    override _read(tap: Tap): unknown[] {
      const items = this.itemsType!;
      const values: unknown[] = [];
      for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
        if (count > itemsMax(items, tap, values.length)) throw tooMany('array');
        while (count-- > 0) values.push(items._read(tap));
      }
      return values;
    }
    override _skip(tap: Tap): void {
      const items = this.itemsType!;
      skipBlocks(
        tap,
        'array',
        () => itemsMax(items, tap, 0),
        () => items._skip(tap),
      );
    }
  }

  class GuardedMap extends MapType {
    override _read(tap: Tap): Record<string, unknown> {
      const valuesType = this.valuesType!;
      const map: Record<string, unknown> = {};
      for (let count = blockCount(tap); count > 0; count = blockCount(tap)) {
        if (count > bytesLeft(tap)) throw tooMany('map');
        while (count-- > 0) {
          const key = tap.readString();
          if (key === '__proto__') throw new AvroRefusal('a map in it has the key __proto__');
          map[key] = valuesType._read(tap);
        }
      }
      return map;
    }
    override _skip(tap: Tap): void {
      const valuesType = this.valuesType!;
      skipBlocks(
        tap,
        'map',
        () => bytesLeft(tap),
        () => {
          tap.skipString();
          valuesType._skip(tap);
        },
      );
    }
  }

  return { array: GuardedArray, map: GuardedMap };
}

const withBytes = new WeakMap<Parts, boolean>();

/** How many items there may be in the next block, behind those that were. */
function itemsMax(items: Parts, tap: Tap, before: number): number {
  let hasBytes = withBytes.get(items);
  if (hasBytes === undefined) {
    hasBytes = takesBytes(items, new Set());
    withBytes.set(items, hasBytes);
  }
  return hasBytes ? bytesLeft(tap) : ITEMS_WITHOUT_BYTES_MAX - before;
}

/** Of the next block; 0 behind the last. The size that may be told with it is not needed: what is read shows it. */
function blockCount(tap: Tap): number {
  const count = tap.readLong();
  if (count >= 0) return count;
  tap.skipLong();
  return -count;
}

function skipBlocks(tap: Tap, what: string, max: () => number, skipItem: () => void): void {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) {
      const size = tap.readLong();
      if (!(size >= 0 && size <= bytesLeft(tap))) throw tooMany(what);
      tap.pos += size;
      continue;
    }
    if (count > max()) throw tooMany(what);
    while (count-- > 0) skipItem();
  }
}

function bytesLeft(tap: Tap): number {
  return Math.min(tap.buf.length, recordEnd) - tap.pos;
}

function tooMany(what: string): AvroRefusal {
  return new AvroRefusal(`its bytes end before the ${what} that they announce`);
}

/** Does a value of the type take a byte at least? */
function takesBytes(type: Parts, seen: Set<Parts>): boolean {
  switch (type.typeName) {
    case 'null':
      return false;
    case 'fixed':
      return (type as unknown as { readonly size: number }).size > 0;
    case 'record':
    case 'error': {
      // One that holds itself ends somewhere: by a union or a count, which is a byte.
      if (seen.has(type)) return false;
      seen.add(type);
      return (type.fields ?? []).some((field) => takesBytes(field.type, seen));
    }
    default:
      return type.underlyingType === undefined || takesBytes(type.underlyingType, seen);
  }
}
