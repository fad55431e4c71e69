// Owns light and dark: what the system prefers, unless somebody chose. The choice is kept on this machine.

import { keep, kept } from './storage.ts';

export type Theme = 'auto' | 'light' | 'dark';

const KEY = 'millrace.theme';
const ofMachine = (): Storage => localStorage;
const ORDER: readonly Theme[] = ['auto', 'light', 'dark'];

export function storedTheme(): Theme {
  const stored = kept(ofMachine, KEY);
  return ORDER.find((theme) => theme === stored) ?? 'auto';
}

export function applyTheme(theme: Theme): void {
  if (theme === 'auto') {
    delete document.documentElement.dataset['theme'];
  } else {
    document.documentElement.dataset['theme'] = theme;
  }
  keep(ofMachine, KEY, theme === 'auto' ? null : theme);
}

export function nextTheme(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length]!;
}

/** A colour of style.css as it is now, by its name without the hyphens before. */
export function colour(name: string): string {
  // What a name stands for depends on light or dark; only where it is used does the browser say.
  const probe = document.createElement('i');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Names of fonts of style.css. */
export function fonts(): string {
  return getComputedStyle(document.documentElement).getPropertyValue('--font').trim();
}
