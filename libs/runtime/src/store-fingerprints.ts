// Owns what travels with the committed offsets to tell what a task's stores were written as, so that a changed topology is refused
// before anything of it is read, also where no local state is left to compare with.
//
// One item a store: hashes of its name, of its kind and layout, of its key serde, of its value serde.
import { FatalError } from '#libs/core';
import type { StoreSpec } from '#libs/topology';
import { shortHash } from './offset-metadata.ts';

const NAME_CHARACTERS = 6;
const PART_CHARACTERS = 4;
const ITEM_CHARACTERS = NAME_CHARACTERS + 3 * PART_CHARACTERS;

interface Parts {
  readonly layout: string;
  readonly key: string;
  readonly value: string;
}

function partsOf(store: StoreSpec): Parts {
  return {
    layout: store.layout === undefined ? store.kind : `${store.kind} ${store.layout}`,
    key: store.keySerde.name,
    value: store.valueSerde.name,
  };
}

const PART_NAMES: readonly (readonly [keyof Parts, string])[] = [
  ['layout', 'kind or layout'],
  ['key', 'key serde'],
  ['value', 'value serde'],
];

/** Stores without a changelog start empty: what they were does not matter. */
export function storeFingerprints(stores: readonly StoreSpec[]): string {
  let text = '';
  for (const store of stores) {
    if (!store.logged) continue;
    const parts = partsOf(store);
    text += shortHash(store.name, NAME_CHARACTERS);
    for (const [part] of PART_NAMES) text += shortHash(parts[part], PART_CHARACTERS);
  }
  return text;
}

/** By hash of the store's name: the hashes of its parts. */
function itemsOf(written: string): Map<string, string> {
  const items = new Map<string, string>();
  for (let at = 0; at + ITEM_CHARACTERS <= written.length; at += ITEM_CHARACTERS) {
    items.set(
      written.slice(at, at + NAME_CHARACTERS),
      written.slice(at + NAME_CHARACTERS, at + ITEM_CHARACTERS),
    );
  }
  return items;
}

/** True when what was written beside committed offsets names the store: its changelog existed then. */
export function isStoreWritten(written: string, store: string): boolean {
  return itemsOf(written).has(shortHash(store, NAME_CHARACTERS));
}

/**
 * `written` without what `stores` say anew: stores that are gone from the topology. Their changelogs may be there still, and are what
 * the store would be restored from if it came back.
 */
export function fingerprintsOfGone(stores: readonly StoreSpec[], written: readonly string[]): string {
  const gone = new Map<string, string>();
  for (const text of written) for (const [name, item] of itemsOf(text)) gone.set(name, item);
  for (const store of stores) gone.delete(shortHash(store.name, NAME_CHARACTERS));
  let text = '';
  for (const [name, item] of gone) text += name + item;
  return text;
}

/** @throws FatalError MILLRACE_STATE_INCOMPATIBLE naming the store and what changed about it. */
export function refuseIncompatibleStores(
  taskId: string,
  stores: readonly StoreSpec[],
  written: string,
): void {
  const before = itemsOf(written);
  for (const store of stores) {
    const item = before.get(shortHash(store.name, NAME_CHARACTERS));
    if (item === undefined || !store.logged) continue;
    const parts = partsOf(store);
    const changed = PART_NAMES.filter(
      ([part], index) =>
        item.slice(index * PART_CHARACTERS, (index + 1) * PART_CHARACTERS) !==
        shortHash(parts[part], PART_CHARACTERS),
    );
    if (changed.length === 0) continue;
    const what = changed.map(([part, name]) => `${name} (now "${parts[part]}")`).join(', ');
    throw new FatalError({
      code: 'MILLRACE_STATE_INCOMPATIBLE',
      message: `Store "${store.name}" of task ${taskId} was written with another ${what}.`,
      remedy:
        'Give the changed store a new name, go back to what wrote it, or reset the application to build its state anew.',
      context: { taskId, store: store.name, changed: changed.map(([, name]) => name) },
    });
  }
}
