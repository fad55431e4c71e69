// Owns what the page keeps in the browser. Where a browser allows none, nothing is kept, and all else works.

export function kept(storage: () => Storage, key: string): string | null {
  try {
    return storage().getItem(key);
  } catch {
    return null;
  }
}

/** `null`: no longer. */
export function keep(storage: () => Storage, key: string, value: string | null): void {
  try {
    if (value === null) storage().removeItem(key);
    else storage().setItem(key, value);
  } catch {
    // Until the page is left.
  }
}
