// Owns what "balanced" means, and how a group becomes so: no member has so much that another, given the heaviest task on top of its
// own, would still have less (each by its capacity). What meets that is left alone.
//
// Two facts follow, which the rest of the assignor builds on.
// 1. A task given to whoever has least with it keeps a balanced group balanced: when a member leaves, only its tasks move.
// 2. Each move from the most to the least loaded narrows the gap between them: levelling ends.

export class Loads {
  readonly load: Float64Array;
  private readonly capacity: Float64Array;
  private readonly slack: number;

  constructor(capacity: Float64Array, slack: number) {
    this.capacity = capacity;
    this.slack = slack;
    this.load = new Float64Array(capacity.length);
  }

  add(member: number, weight: number): void {
    this.load[member]! += weight;
  }

  /** `from` has more than `to` would have with the heaviest task on top. */
  isUneven(from: number, to: number): boolean {
    return this.load[from]! * this.capacity[to]! > (this.load[to]! + this.slack) * this.capacity[from]!;
  }

  /** Without `weight` the member would still have enough, compared with whoever has most. */
  canSpare(member: number, weight: number): boolean {
    const left = this.with(member, this.slack - weight);
    for (let other = 0; other < this.load.length; other++) {
      if (other !== member && this.with(other, 0) > left) return false;
    }
    return true;
  }

  /** What the member would have with `weight` on top, by its capacity. */
  with(member: number, weight: number): number {
    return (this.load[member]! + weight) / this.capacity[member]!;
  }

  /**
   * Moves tasks from those that have most to those that have least, until the group is balanced or nothing more can move.
   * `move` moves one task that may go from one to the other, and tells whether there was any. True when something moved.
   */
  level(move: (from: number, to: number) => boolean): boolean {
    let moved = false;
    const stuck = new Uint8Array(this.load.length);
    for (;;) {
      let most = -1;
      let least = 0;
      for (let member = 0; member < stuck.length; member++) {
        if (stuck[member] === 0 && (most < 0 || this.with(member, 0) > this.with(most, 0))) most = member;
        if (this.with(member, this.slack) < this.with(least, this.slack)) least = member;
      }
      if (most < 0 || !this.isUneven(most, least)) return moved;
      if (move(most, least) || this.moveElsewhere(most, move)) moved = true;
      else stuck[most] = 1;
    }
  }

  private moveElsewhere(from: number, move: (from: number, to: number) => boolean): boolean {
    const others = Array.from(this.load.keys()).sort(
      (a, b) => this.with(a, this.slack) - this.with(b, this.slack),
    );
    for (const to of others) {
      if (!this.isUneven(from, to)) return false;
      if (move(from, to)) return true;
    }
    return false;
  }
}

/** By the first of two ranks' figures that differ. */
export function isLess(rank: readonly number[], than: readonly number[]): boolean {
  for (let i = 0; i < rank.length; i++) {
    if (rank[i] !== than[i]) return rank[i]! < than[i]!;
  }
  return false;
}
