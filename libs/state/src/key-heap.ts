// Owns many things in an order of which only the first few are asked for: made in one pass, and a logarithm for each one taken.

export class KeyHeap<T> {
  private readonly items: T[];
  private readonly compare: (a: T, b: T) => number;

  /** Takes the array over. */
  constructor(items: T[], compare: (a: T, b: T) => number) {
    this.items = items;
    this.compare = compare;
    for (let at = (items.length >> 1) - 1; at >= 0; at--) this.sink(at);
  }

  get size(): number {
    return this.items.length;
  }

  /** The first one. */
  peek(): T | undefined {
    return this.items[0];
  }

  pop(): T | undefined {
    const { items } = this;
    const first = items[0];
    const last = items.pop();
    if (items.length > 0) {
      items[0] = last!;
      this.sink(0);
    }
    return first;
  }

  /** Of more than `count` things keeps the last ones out: `offer` them all to a heap whose order is reversed. */
  offer(item: T, count: number): void {
    const { items } = this;
    if (items.length < count) {
      items.push(item);
      this.rise(items.length - 1);
    } else if (this.compare(item, items[0]!) > 0) {
      items[0] = item;
      this.sink(0);
    }
  }

  private rise(from: number): void {
    const { items, compare } = this;
    const item = items[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (compare(items[parent]!, item) <= 0) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  private sink(from: number): void {
    const { items, compare } = this;
    const item = items[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && compare(items[child + 1]!, items[child]!) < 0) child++;
      if (compare(item, items[child]!) <= 0) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = item;
  }
}
