// Owns the two smallest things of a lesson: a line on the terminal, and waiting for the user to have enough.

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Resolves when the signal is given, also if it was before. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
