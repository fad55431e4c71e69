// Owns what operators ask of the task besides time: deliveries to be run between records, and whether records are taken at all.
// What is asked for in a scope counts once the scope is done; a scope that is undone has asked for nothing.
import type { PostedRecord } from '#libs/topology';

/** Deliveries that are done with and still in the list. */
const TAKEN_MAX = 1_024;

export interface Delivery {
  readonly deliver: () => void;
  /** Runs instead when `deliver` failed and the failure policy says to go on. */
  readonly skip: (() => void) | null;
  /** What a dead letter of it would hold. */
  readonly record: PostedRecord | null;
}

export class TaskMailbox {
  /** While a scope runs: set by the task. */
  inScope = false;
  private closed = false;
  private readonly deliveries: Delivery[] = [];
  private next = 0;
  private readonly scopeDeliveries: Delivery[] = [];
  private readonly holders = new Set<object>();
  private readonly unfinished = new Set<object>();
  /** Of the present scope, in order: whose hold changed. */
  private readonly scopeHolders: object[] = [];
  private readonly onChange: () => void;

  /** `onChange`: something to be looked at before the next record; it may come from outside the loop. */
  constructor(onChange: () => void) {
    this.onChange = onChange;
  }

  get isHeld(): boolean {
    return this.holders.size > 0;
  }

  /** Work is under way outside of scopes. */
  get isUnfinished(): boolean {
    return this.unfinished.size > 0;
  }

  setUnfinished(holder: object, isUnderWay: boolean): void {
    if (isUnderWay) this.unfinished.add(holder);
    else this.unfinished.delete(holder);
  }

  get hasDeliveries(): boolean {
    return this.next < this.deliveries.length;
  }

  /** Nothing comes of it when the task is closed. */
  post(deliver: () => void, skip: (() => void) | undefined, record: PostedRecord | undefined): void {
    if (this.closed) return;
    (this.inScope ? this.scopeDeliveries : this.deliveries).push({
      deliver,
      skip: skip ?? null,
      record: record ?? null,
    });
    this.onChange();
  }

  hold(holder: object): void {
    if (this.holders.has(holder)) return;
    this.holders.add(holder);
    if (this.inScope) this.scopeHolders.push(holder);
    this.onChange();
  }

  release(holder: object): void {
    if (!this.holders.delete(holder)) return;
    if (this.inScope) this.scopeHolders.push(holder);
    this.onChange();
  }

  /** The oldest delivery; it stays until `taken`. */
  peek(): Delivery | null {
    return this.deliveries[this.next] ?? null;
  }

  taken(): void {
    this.next++;
    if (this.next < this.deliveries.length && this.next < TAKEN_MAX) return;
    this.deliveries.splice(0, this.next);
    this.next = 0;
  }

  /** The scope is done. */
  keep(): void {
    if (this.scopeDeliveries.length > 0) this.deliveries.push(...this.scopeDeliveries.splice(0));
    this.scopeHolders.length = 0;
  }

  /** The scope is undone. */
  undo(): void {
    this.scopeDeliveries.length = 0;
    for (let i = this.scopeHolders.length - 1; i >= 0; i--) {
      const holder = this.scopeHolders[i]!;
      if (!this.holders.delete(holder)) this.holders.add(holder);
    }
    this.scopeHolders.length = 0;
  }

  close(): void {
    this.closed = true;
    this.deliveries.length = 0;
    this.next = 0;
    this.undo();
  }
}
