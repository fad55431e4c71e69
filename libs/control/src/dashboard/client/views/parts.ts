// Owns the small pieces that all views are made of: badges, tiles, tables, bars, empty places. Text only ever becomes text.
import { h } from './h.ts';
import type { ComponentChildren, VNode } from 'preact';
import type { Badge } from '../health.ts';

export function BadgeView({ badge: { tone, sign, word } }: { readonly badge: Badge }): VNode {
  return h(
    'span',
    { class: `badge tone-${tone}` },
    h('span', { class: 'sign', 'aria-hidden': 'true' }, sign),
    word,
  );
}

export function Section({
  title,
  id,
  aside,
  children,
}: {
  readonly title: string;
  readonly id: string;
  readonly aside?: ComponentChildren;
  readonly children?: ComponentChildren;
}): VNode {
  return h(
    'section',
    { class: 'card', 'aria-labelledby': id },
    h(
      'div',
      { class: 'card-head' },
      h('h2', { id }, title),
      aside === undefined ? null : h('div', { class: 'aside' }, aside),
    ),
    children,
  );
}

export function Tile({
  title,
  value,
  note,
  tone,
  id,
}: {
  readonly title: string;
  readonly value: string;
  readonly note: string;
  readonly tone?: 'warn' | 'bad' | undefined;
  readonly id: string;
}): VNode {
  return h(
    'div',
    { class: `tile${tone === undefined ? '' : ` tone-${tone}`}`, 'data-tile': id },
    h('dt', null, title),
    h('dd', null, h('strong', null, value), h('span', { class: 'note' }, note)),
  );
}

export interface Column<Row> {
  readonly title: string;
  /** Right-aligned, digits of one width. */
  readonly isNumber?: boolean;
  readonly cell: (row: Row) => ComponentChildren;
}

export interface TableProps<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly empty: string;
  readonly toneOf?: (row: Row) => string | undefined;
}

/** On a narrow screen each row is a card, with the columns' titles before the cells. */
export function Table<Row>({ label, columns, rows, keyOf, empty, toneOf }: TableProps<Row>): VNode {
  if (rows.length === 0) return h(Empty, null, empty);
  const keys = distinct(rows.map(keyOf));
  const cellClass = ({ isNumber }: Column<Row>): string | undefined =>
    isNumber === true ? 'number' : undefined;
  return h(
    'div',
    { class: 'table-frame', role: 'region', 'aria-label': label, tabIndex: 0 },
    h(
      'table',
      null,
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          columns.map((column) => h('th', { scope: 'col', class: cellClass(column) }, column.title)),
        ),
      ),
      h(
        'tbody',
        null,
        rows.map((row, index) =>
          h(
            'tr',
            { key: keys[index]!, class: toneOf?.(row), 'data-key': keyOf(row) },
            columns.map((column) =>
              h(
                'td',
                { class: cellClass(column), 'data-title': column.title },
                h('span', null, column.cell(row)),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

/** Things alike may happen within a millisecond; a list may not have one key twice. */
function distinct(keys: readonly string[]): string[] {
  const times = new Map<string, number>();
  return keys.map((key) => {
    const before = times.get(key) ?? 0;
    times.set(key, before + 1);
    return before === 0 ? key : `${key} (${before})`;
  });
}

export function Empty({ children }: { readonly children?: ComponentChildren }): VNode {
  return h('p', { class: 'empty' }, children);
}

/** From 0 to 1. */
export function Bar({
  share,
  label,
  tone,
}: {
  readonly share: number;
  readonly label: string;
  readonly tone?: string;
}): VNode {
  const whole = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return h(
    'div',
    {
      class: `bar${tone === undefined ? '' : ` tone-${tone}`}`,
      role: 'progressbar',
      'aria-label': label,
      'aria-valuemin': 0,
      'aria-valuemax': 100,
      'aria-valuenow': whole,
    },
    h('div', { class: 'bar-fill', style: { width: `${whole}%` } }),
  );
}

/** Pairs of a name and a value. */
export function Facts({ rows }: { readonly rows: readonly (readonly [string, ComponentChildren])[] }): VNode {
  return h(
    'dl',
    { class: 'facts' },
    rows.map(([name, value]) => h('div', { key: name }, h('dt', null, name), h('dd', null, value))),
  );
}

export function CodeButton({
  code,
  onShow,
}: {
  readonly code: string;
  readonly onShow: (code: string) => void;
}): VNode {
  return h(
    'button',
    { type: 'button', class: 'code-link', onClick: () => onShow(code), title: 'What this code means' },
    code,
  );
}
