// Owns the timers of the page; nothing else of it waits or asks for the time.

/** Returns how to take it back. */
export function later(ms: number, action: () => void): () => void {
  const timer = setTimeout(action, ms);
  return () => clearTimeout(timer);
}

/** Wall clock, milliseconds since the Unix epoch. */
export function wallClock(): number {
  return Date.now();
}
