// Owns the handle of a store whatever its kind: for those who pass rows on, or ask where a key is.
import type { BinaryString } from '#libs/core';
import { StoreHandle } from './store-handle.ts';
import type { EncodedRow } from './store-query.ts';
import type { StoreAccess } from './store-queries.ts';

/** A row as it is kept. */
export interface AnyEntry extends EncodedRow {
  readonly partition: number;
  readonly deleted: boolean;
}

export class AnyStore<K = unknown> extends StoreHandle<K, AnyEntry> {
  constructor(access: StoreAccess, name: string) {
    super(access, name, ['keyValue', 'global', 'window', 'session', 'versioned']);
  }

  /** The key of a row, without its window. @throws SerdeError, SchemaPending */
  key(row: BinaryString): K {
    return this.keyOf(row);
  }

  protected override decode(row: EncodedRow, partition: number, deleted: boolean): AnyEntry {
    return { ...row, partition, deleted };
  }
}
