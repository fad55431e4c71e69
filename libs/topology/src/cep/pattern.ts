// Owns how a pattern is written: stages in their order, each with its condition, its distance from the stage before, and how often.
//
// A match takes one event or several for each stage, in the order of the stages. What lies between two events taken one after the other is
// ruled by the second one's contiguity:
//   strict   nothing lies between                                                     next, consecutive()
//   relaxed  nothing that would have been taken instead lies between                  followedBy, repetitions by default
//   any      whatever lies between                                                    followedByAny, allowCombinations()
// The same event may be part of several matches. Source of the words: Flink's CEP library; greedy quantifiers and groups are not offered.

export type Contiguity = 'strict' | 'relaxed' | 'any';

/** Events taken so far, by stage. */
export type Taken<V> = Readonly<Record<string, readonly V[]>>;

export type Condition<V> = (event: V, taken: Taken<V>) => boolean;

export interface Stage<V> {
  readonly name: string;
  readonly condition: Condition<V>;
  /** To the event taken before, of an earlier stage. */
  readonly contiguity: Contiguity;
  /** Between the events of this stage. */
  readonly repetition: Contiguity;
  readonly min: number;
  readonly max: number;
  /** The stage may be left out. */
  readonly isOptional: boolean;
  /** Once an event fulfils it, the stage takes no more. */
  readonly until: Condition<V> | null;
  /** Events that must not come between the stage before and this one: anywhere, or as the very next one. */
  readonly forbidden: readonly { readonly where: 'between' | 'next'; readonly condition: Condition<V> }[];
}

/** One bit each, in a partial match. */
export const STAGES_MAX = 30;

const ANYTHING = (): boolean => true;

function stageOf<V>(name: string, contiguity: Contiguity, forbidden: Stage<V>['forbidden']): Stage<V> {
  return {
    name,
    condition: ANYTHING,
    contiguity,
    repetition: 'relaxed',
    min: 1,
    max: 1,
    isOptional: false,
    until: null,
    forbidden,
  };
}

/**
 * A sequence of events to be looked for. Immutable: each call gives a new one.
 *
 *     Pattern.begin<Payment>('small').where((p) => p.amount < 1).oneOrMore().followedBy('big').where((p) => p.amount > 500).within(60_000)
 */
export class Pattern<V, Names extends string = never> {
  readonly stages: readonly Stage<V>[];
  /** Milliseconds from the first event, exclusive, in which the last one must come; `null`: without end. */
  readonly withinMs: number | null;
  /** Calls that make no sense, told when the topology is built. */
  readonly faults: readonly string[];
  private readonly pending: Stage<V>['forbidden'];

  private constructor(
    stages: readonly Stage<V>[],
    withinMs: number | null,
    faults: readonly string[],
    pending: Stage<V>['forbidden'],
  ) {
    this.stages = stages;
    this.withinMs = withinMs;
    this.faults = faults;
    this.pending = pending;
  }

  static begin<V, N extends string = string>(name: N): Pattern<V, N> {
    return new Pattern<V, N>([stageOf<V>(name, 'any', [])], null, [], []);
  }

  /** A condition of the newest stage; several must all hold. */
  where(condition: Condition<V>): Pattern<V, Names> {
    const { condition: before } = this.last;
    return this.checked('where', condition).change({
      condition:
        before === ANYTHING ? condition : (event, taken) => before(event, taken) && condition(event, taken),
    });
  }

  /** An alternative to the conditions so far. */
  or(condition: Condition<V>): Pattern<V, Names> {
    const { condition: before } = this.last;
    return this.checked('or', condition).change({
      condition: (event, taken) => before(event, taken) || condition(event, taken),
    });
  }

  /** The next stage takes the very next event. */
  next<N extends string>(name: N): Pattern<V, Names | N> {
    return this.append(name, 'strict');
  }

  /** The next stage takes the next event that fits. */
  followedBy<N extends string>(name: N): Pattern<V, Names | N> {
    return this.append(name, 'relaxed');
  }

  /** The next stage takes each event that fits, in a match of its own. */
  followedByAny<N extends string>(name: N): Pattern<V, Names | N> {
    return this.append(name, 'any');
  }

  /** The event right after must not fulfil this. Another stage has to follow. */
  notNext(condition: Condition<V>): Pattern<V, Names> {
    return this.checked('notNext', condition).forbid({ where: 'next', condition });
  }

  /** No event up to the next stage may fulfil this. Another stage has to follow. */
  notFollowedBy(condition: Condition<V>): Pattern<V, Names> {
    return this.checked('notFollowedBy', condition).forbid({ where: 'between', condition });
  }

  /** The stage takes one event or more, `min` at least. */
  oneOrMore(min = 1): Pattern<V, Names> {
    const changed = this.change({ min, max: Infinity });
    const legal = Number.isSafeInteger(min) && min >= 1;
    return legal ? changed : changed.fault(`oneOrMore(${String(min)}) of the stage "${this.last.name}"`);
  }

  /** The stage takes `min` events, or `min` to `max`. */
  times(min: number, max: number = min): Pattern<V, Names> {
    const legal = Number.isSafeInteger(min) && min >= 1 && Number.isSafeInteger(max) && max >= min;
    const changed = this.change({ min, max });
    return legal ? changed : changed.fault(`times(${min}, ${max}) of the stage "${this.last.name}"`);
  }

  /** The stage may be left out. */
  optional(): Pattern<V, Names> {
    return this.change({ isOptional: true });
  }

  /** Of a repeated stage: nothing lies between its events. */
  consecutive(): Pattern<V, Names> {
    return this.change({ repetition: 'strict' });
  }

  /** Of a repeated stage: whatever lies between its events, also such as would fit. */
  allowCombinations(): Pattern<V, Names> {
    return this.change({ repetition: 'any' });
  }

  /** Of a repeated stage: once an event fulfils this, the stage takes no more. */
  until(condition: Condition<V>): Pattern<V, Names> {
    const changed = this.checked('until', condition).change({ until: condition });
    return this.last.max > 1 ? changed : changed.fault(`until of "${this.last.name}", which is not repeated`);
  }

  /** From the first event to the last less than `ms` milliseconds pass. */
  within(ms: number): Pattern<V, Names> {
    const changed = new Pattern<V, Names>(this.stages, ms, this.faults, this.pending);
    return Number.isFinite(ms) && ms > 0 ? changed : changed.fault(`within(${ms})`);
  }

  /** Faults of the whole. */
  check(): readonly string[] {
    const faults = [...this.faults];
    if (this.pending.length > 0) faults.push('a negation at the end: another stage has to follow');
    if (this.stages.every(({ isOptional }) => isOptional)) faults.push('every stage is optional');
    if (this.stages.length > STAGES_MAX) faults.push(`more than ${STAGES_MAX} stages`);
    const names = new Set(this.stages.map(({ name }) => name));
    if (this.stages.some(({ name }) => typeof name !== 'string' || name === ''))
      faults.push('a stage without a name');
    if (names.size < this.stages.length) faults.push('two stages of one name');
    return faults;
  }

  private get last(): Stage<V> {
    return this.stages[this.stages.length - 1]!;
  }

  private change(part: Partial<Stage<V>>): Pattern<V, Names> {
    const stages = [...this.stages.slice(0, -1), { ...this.last, ...part }];
    return new Pattern<V, Names>(stages, this.withinMs, this.faults, this.pending);
  }

  private append<N extends string>(name: N, contiguity: Contiguity): Pattern<V, Names | N> {
    const stages = [...this.stages, stageOf<V>(name, contiguity, this.pending)];
    return new Pattern<V, Names | N>(stages, this.withinMs, this.faults, []);
  }

  private forbid(forbidden: Stage<V>['forbidden'][number]): Pattern<V, Names> {
    return new Pattern<V, Names>(this.stages, this.withinMs, this.faults, [...this.pending, forbidden]);
  }

  private checked(method: string, condition: unknown): Pattern<V, Names> {
    if (typeof condition === 'function') return this;
    return this.fault(`${method} of "${String(this.last.name)}" without a function`);
  }

  private fault(text: string): Pattern<V, Names> {
    return new Pattern<V, Names>(this.stages, this.withinMs, [...this.faults, text], this.pending);
  }
}
