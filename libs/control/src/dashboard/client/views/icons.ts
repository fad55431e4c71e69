// Owns the signs that are drawn: what a box is, and the buttons without words. Each beside a word or a label.
import { h } from './h.ts';
import type { VNode } from 'preact';
import type { BoxKind } from '../graph-model.ts';

/** In a square of 16. */
const BOX_PATHS: Readonly<Record<BoxKind, string>> = {
  topic: 'M2 4.5h12M2 8h12M2 11.5h12M5 3v3M9.5 6.5v3M6.5 10v3',
  repartition: 'M2 4h4l4 8h4M2 12h4l1-2M9 6l1-2h4M12 2l2 2-2 2M12 10l2 2-2 2',
  source: 'M2 8h8M7 4.5 10.5 8 7 11.5M13 3v10',
  processor:
    'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 2v1.6M8 12.4V14M2 8h1.6M12.4 8H14M3.8 3.8l1.1 1.1M11.1 11.1l1.1 1.1M12.2 3.8l-1.1 1.1M4.9 11.1l-1.1 1.1',
  store:
    'M3 4c0-1.1 2.2-2 5-2s5 .9 5 2-2.2 2-5 2-5-.9-5-2v8c0 1.1 2.2 2 5 2s5-.9 5-2V4M3 8c0 1.1 2.2 2 5 2s5-.9 5-2',
  globalStore:
    'M3 4c0-1.1 2.2-2 5-2s5 .9 5 2-2.2 2-5 2-5-.9-5-2v8c0 1.1 2.2 2 5 2s5-.9 5-2V4M5.5 9.5h5M8 7v5',
  sink: 'M3 3v10M5 8h8M9.5 4.5 13 8l-3.5 3.5',
};

export const BOX_WORDS: Readonly<Record<BoxKind, string>> = {
  topic: 'topic',
  repartition: 'repartition topic',
  source: 'source',
  processor: 'operator',
  store: 'state store',
  globalStore: 'global store',
  sink: 'sink',
};

export function boxIconPath(kind: BoxKind): string {
  return BOX_PATHS[kind];
}

export function BoxIcon({ kind }: { readonly kind: BoxKind }): VNode {
  return icon(BOX_PATHS[kind]);
}

const BUTTON_PATHS = {
  sun: 'M8 4.8a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13',
  moon: 'M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1',
  auto: 'M8 2a6 6 0 1 0 0 12V2M8 2a6 6 0 0 1 0 12',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  turn: 'M3 5.5h8.5M9 3l2.5 2.5L9 8M13 8v5M10.5 10.5 13 13l2-2.5',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
} as const;

export function ButtonIcon({ name }: { readonly name: keyof typeof BUTTON_PATHS }): VNode {
  return icon(BUTTON_PATHS[name]);
}

function icon(path: string): VNode {
  return h(
    'svg',
    { viewBox: '0 0 16 16', width: 16, height: 16, class: 'icon', 'aria-hidden': 'true' },
    h('path', { d: path }),
  );
}

/** The wheel in its race. */
export function Logo(): VNode {
  return h(
    'svg',
    { viewBox: '0 0 32 32', width: 26, height: 26, class: 'logo', 'aria-hidden': 'true' },
    h('path', {
      class: 'logo-wheel',
      d: 'M16 4a9 9 0 1 0 0 18 9 9 0 0 0 0-18M16 4v18M7 13h18M9.6 6.6l12.8 12.8M22.4 6.6 9.6 19.4',
    }),
    h('path', { class: 'logo-water', d: 'M2 26c3.5-3 7 3 10.5 0s7 3 10.5 0 4.5-1.5 7 0' }),
  );
}
