// Owns how an amount is written in notes.

export function euros(cents: number): string {
  return `€${(cents / 100).toFixed(2)}`;
}
