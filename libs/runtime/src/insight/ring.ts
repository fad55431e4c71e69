// Owns the last so many of something.

export class Ring<T> {
  private readonly items: T[] = [];
  private next = 0;
  private readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  push(item: T): void {
    this.items[this.next] = item;
    this.next = (this.next + 1) % this.capacity;
  }

  /** The one pushed last. */
  get last(): T | undefined {
    return this.items[(this.next + this.capacity - 1) % this.capacity];
  }

  /** Oldest first. */
  toArray(): T[] {
    return [...this.items.slice(this.next), ...this.items.slice(0, this.next)];
  }
}
