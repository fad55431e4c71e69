// Owns how a run draws among things, from the numbers of its seed.
import type { SeededRandom } from '#libs/broker-memory';

export function pick<T>(random: SeededRandom, items: readonly T[]): T {
  return items[random.integer(0, items.length - 1)]!;
}

/** An item by its weight. */
export function weighted<T>(random: SeededRandom, items: readonly (readonly [T, number])[]): T {
  const total = items.reduce((sum, [, weight]) => sum + weight, 0);
  let drawn = random.next() * total;
  for (const [item, weight] of items) {
    drawn -= weight;
    if (drawn < 0) return item;
  }
  return items.at(-1)![0];
}

export function shuffled<T>(random: SeededRandom, items: readonly T[]): T[] {
  const rest = [...items];
  const order: T[] = [];
  while (rest.length > 0) order.push(...rest.splice(random.integer(0, rest.length - 1), 1));
  return order;
}
