// Owns from which suffix on everything is in memory, of all groups of a store together: new windows of a store that is larger than memory
// are known to be empty, whatever their group. It never looks at rows.
import type { BinaryString } from '#libs/core';
import { rankOf, successorOf } from './row-key.ts';

const ALL = '' as BinaryString;

export class Coverage {
  /** Says nothing while `rank` is infinite: nothing need be in memory. */
  from: BinaryString = ALL;
  rank: number;

  constructor(all: boolean) {
    this.rank = all ? 0 : Infinity;
  }

  has(suffix: BinaryString, rank: number): boolean {
    return rank > this.rank || (rank === this.rank && suffix >= this.from);
  }

  startAt(suffix: BinaryString): void {
    this.from = suffix;
    this.rank = rankOf(suffix);
  }

  /** A row with a value left: only what is behind it is still all there. */
  startBehind(suffix: BinaryString): void {
    if (this.has(suffix, rankOf(suffix))) this.startAt(successorOf(suffix));
  }

  lose(): void {
    this.rank = Infinity;
  }
}
