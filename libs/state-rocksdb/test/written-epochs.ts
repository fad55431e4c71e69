// Owns what the writer process writes: a function of the epoch, so that its reader can tell what must be there.
const KEYS = 500;
const KEYS_PER_EPOCH = 40;

/** Keys that an epoch sets to its number. */
export function changedInEpoch(epoch: number): string[] {
  const keys = new Set(['newest']);
  for (let i = 0; i < KEYS_PER_EPOCH; i++) keys.add(`key-${(epoch * 31 + i * i * 7) % KEYS}`);
  return [...keys];
}

/** What the store holds at the end of an epoch. */
export function stateAtEpoch(epoch: number): Record<string, string> {
  const state: Record<string, string> = {};
  for (let e = 0; e <= epoch; e++) for (const key of changedInEpoch(e)) state[key] = String(e);
  return state;
}
