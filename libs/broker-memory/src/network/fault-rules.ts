// Owns faults on demand: a rule names the calls it applies to and what happens to them. The rules mean what those of the proxy in
// front of a real broker mean, so that one suite of tests runs on both.
import type { ApiName } from '#libs/broker';

export interface FaultRule {
  readonly api: ApiName | readonly ApiName[];
  /** `request`: before the cluster has seen it. `answer`: the cluster has applied it, the client does not know. */
  readonly on: 'request' | 'answer';
  /**
   * `drop`: it vanishes, the client finds out by its time-out. `cut`: it vanishes and the connection breaks. `hold`: it waits
   * for `release`, and is delivered then even if its client has given up meanwhile. A number: it waits so many milliseconds.
   */
  readonly action: 'drop' | 'cut' | 'hold' | number;
  /** Lets so many pass first. Default 0. */
  readonly skip?: number;
  /** Applies to so many, then never again. Default 1. */
  readonly times?: number;
  /** Only those of this client. */
  readonly clientId?: string;
}

export interface Fault {
  /** How many calls the rule was applied to. */
  readonly hits: number;
  /** Resolves when the rule has been applied `count` times. Default once. */
  hit(count?: number): Promise<void>;
  /** Lets go on what is held, and what is to come. */
  release(): void;
  /** The rule applies no more; what is held stays held. */
  remove(): void;
}

export class ActiveRule implements Fault {
  hits = 0;
  readonly #rule: FaultRule;
  readonly #onRemoved: (rule: ActiveRule) => void;
  #passed = 0;
  #released = false;
  #waiting: { count: number; resolve: () => void }[] = [];
  #held: (() => void)[] = [];

  constructor(rule: FaultRule, onRemoved: (rule: ActiveRule) => void) {
    this.#rule = rule;
    this.#onRemoved = onRemoved;
  }

  /** The action for a leg, counted; undefined when the rule does not concern it. */
  apply(on: 'request' | 'answer', api: ApiName, clientId: string): FaultRule['action'] | undefined {
    const { skip = 0, times = 1 } = this.#rule;
    if (this.#released || this.hits >= times || on !== this.#rule.on) return undefined;
    if (typeof this.#rule.api === 'string' ? this.#rule.api !== api : !this.#rule.api.includes(api))
      return undefined;
    if (this.#rule.clientId !== undefined && this.#rule.clientId !== clientId) return undefined;
    if (this.#passed < skip) {
      this.#passed++;
      return undefined;
    }
    this.hits++;
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.hits < count) return true;
      resolve();
      return false;
    });
    return this.#rule.action;
  }

  /** `letGo` runs with `release`. */
  hold(letGo: () => void): void {
    this.#held.push(letGo);
  }

  hit(count = 1): Promise<void> {
    if (this.hits >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  release(): void {
    this.#released = true;
    const held = this.#held;
    this.#held = [];
    for (const letGo of held) letGo();
  }

  remove(): void {
    this.#onRemoved(this);
  }
}
