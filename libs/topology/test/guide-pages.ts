// Reads a page of docs/guide and the file its snippets come from: for specs that hold the two together.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface GuidePage {
  /** Snippets by name as the page shows them, and as the file has them. */
  readonly shown: Readonly<Record<string, string>>;
  readonly written: Readonly<Record<string, string>>;
  /** How many blocks of code the page has. */
  readonly blocks: number;
}

/** `page`: `tables` for docs/guide/tables.md and guide-tables-snippets.ts. */
export function guidePage(page: string): GuidePage {
  const text = readFileSync(join(import.meta.dirname, `../../../docs/guide/${page}.md`), 'utf8');
  const source = readFileSync(join(import.meta.dirname, `guide-${page}-snippets.ts`), 'utf8');
  const shown: Record<string, string> = {};
  for (const [, name, code] of text.matchAll(/<!-- snippet: (\w+) -->\s*```ts\n(.*?)```/gs)) {
    shown[name!] = code!;
  }
  const written: Record<string, string> = {};
  for (const [, indent, name, code] of source.matchAll(
    /^( *)\/\/ #region (\w+)\n(.*?)^ *\/\/ #endregion/gms,
  )) {
    written[name!] = code!.replaceAll(new RegExp(`^${indent!}`, 'gm'), '');
  }
  return { shown, written, blocks: text.match(/```ts/g)?.length ?? 0 };
}
