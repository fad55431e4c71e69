// Owns the keyed process function that looks for a pattern: partial matches of a key are its state, their ends its timers.
import { orderedTime, orderedUint32, readOrderedTime, readOrderedUint32 } from '#libs/core';
import { binaryFromBytes, bytesFromBinary, createSerde } from '#libs/serde';
import type { BinaryString, Serde } from '#libs/serde';
import type { KeyedContext, KeyedProcessFunction, OutputTag } from '../keyed/keyed-process.ts';
import { State } from '../keyed/state-descriptors.ts';
import type { MapState, StateDescriptor, ValueState } from '../keyed/state-descriptors.ts';
import type { SerdeOf } from '../options.ts';
import { runsSerde } from './match-state.ts';
import { Matcher, eventsByStage } from './matcher.ts';
import type { Occurrence, Run, TakenEvent } from './matcher.ts';
import type { Pattern } from './pattern.ts';

/** A match, or a part of one whose time is over: the events of each stage, in the order they came. */
export type Match<V, Names extends string> = { readonly [N in Names]: readonly V[] };

/** When a match was found. */
export interface MatchInfo<K> {
  readonly key: K;
  /** Timestamps of the first and of the last event, milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
}

export interface MatchOptions<K, V, R, Names extends string> {
  /** Names the node and its stores: `<name>-runs`, `<name>-waiting`, `<name>-timers`. Must not change between versions. */
  readonly name: string;
  /** What is forwarded for a match, with the timestamp of its last event. */
  readonly select: (match: Match<V, Names>, info: MatchInfo<K>) => R;
  /** Of what `select` gives. */
  readonly resultSerde?: SerdeOf<NonNullable<R>> | undefined;
  /** Of the events as they are kept in partial matches; default: the stream's own. */
  readonly eventSerde?: SerdeOf<V> | undefined;
  /**
   * `arrival` (default): events are looked at as they come. `eventTime`: each waits until event time has reached it, so that they are looked at in the
   * order of time; with a watermark strategy at the source that mends events out of order. Later ones go to `late`.
   */
  readonly order?: 'arrival' | 'eventTime' | undefined;
  /** `noSkip` (default): all matches. `skipPastLastEvent`: after a match, partial ones that share an event with it or were begun before its end are dropped. */
  readonly afterMatch?: 'noSkip' | 'skipPastLastEvent' | undefined;
  /** Partial matches of a key; the oldest ones are dropped beyond it. Default 1,000. */
  readonly partialMatchesMax?: number | undefined;
  /** Side output of partial matches whose time (`within`) is over. */
  readonly timedOut?: OutputTag<Partial<Match<V, Names>>> | undefined;
  /** Side output of events that came after event time had passed them; only with `order: 'eventTime'`. */
  readonly late?: OutputTag<V> | undefined;
}

/** Time of an event that waits, and its number among those of the same time. */
type WaitingKey = readonly [time: number, sequence: number];

const waitingKeySerde: Serde<WaitingKey> = createSerde<WaitingKey>({
  name: 'time-and-sequence',
  serialize: ([time, sequence]) =>
    bytesFromBinary((orderedTime(time) + orderedUint32(sequence)) as BinaryString),
  deserialize(bytes) {
    const text = binaryFromBytes(bytes);
    return [readOrderedTime(text, 0), readOrderedUint32(text, 8)];
  },
});

interface MatchStates<V> {
  readonly [name: string]: StateDescriptor;
  readonly runs: StateDescriptor<ValueState<readonly Run<V>[]>>;
  readonly waiting: StateDescriptor<MapState<WaitingKey, V>>;
}

type Context<K, V, R> = KeyedContext<K, R, MatchStates<V>>;

const END = 'end';
const TURN = 'turn';

export function patternProcess<K, V, R, Names extends string>(
  pattern: Pattern<V, Names>,
  eventSerde: SerdeOf<V>,
  options: MatchOptions<K, V, R, Names>,
): KeyedProcessFunction<K, V, R, MatchStates<V>> {
  const { stages } = pattern;
  const matcher = new Matcher(stages, pattern.withinMs);
  const { select, order, afterMatch, timedOut, late, partialMatchesMax = 1_000 } = options;

  const emit = (taken: readonly TakenEvent<V>[], context: Context<K, V, R>): void => {
    const startMs = taken[0]!.occurrence.timestamp;
    const endMs = taken[taken.length - 1]!.occurrence.timestamp;
    const match = eventsByStage(stages, taken) as Match<V, Names>;
    context.emit(select(match, { key: context.key, startMs, endMs }), { timestamp: endMs });
  };
  const tellTimedOut = (runs: readonly Run<V>[], context: Context<K, V, R>): void => {
    if (timedOut === undefined) return;
    for (const run of runs) {
      context.output(timedOut, eventsByStage(stages, run.taken) as Partial<Match<V, Names>>);
    }
  };
  const keep = (runs: readonly Run<V>[], context: Context<K, V, R>): void => {
    const kept = runs.length > partialMatchesMax ? runs.slice(runs.length - partialMatchesMax) : runs;
    if (kept.length === 0) context.state.runs.clear();
    else context.state.runs.set(kept);
    const end = matcher.nextEnd(kept);
    if (end === Infinity) context.timers.cancelEventTime(END);
    else context.timers.setEventTime(END, end);
  };
  const look = (occurrence: Occurrence<V>, context: Context<K, V, R>): void => {
    const before = context.state.runs.get() ?? [];
    const { runs, matches, timedOut: over } = matcher.step(before, occurrence);
    tellTimedOut(over, context);
    const found = afterMatch === 'skipPastLastEvent' ? matches.slice(0, 1) : matches;
    for (const taken of found) emit(taken, context);
    const drops = afterMatch === 'skipPastLastEvent' && found.length > 0;
    if (before.length > 0 || runs.length > 0) keep(drops ? [] : runs, context);
  };
  const wait = (value: V, context: Context<K, V, R>): void => {
    const { waiting } = context.state;
    let sequence = 0;
    while (waiting.has([context.timestamp, sequence])) sequence++;
    waiting.set([context.timestamp, sequence], value);
    const before = context.timers.eventTimeOf(TURN);
    if (before === null || context.timestamp < before) context.timers.setEventTime(TURN, context.timestamp);
  };
  const lookAtWaiting = (now: number, context: Context<K, V, R>): void => {
    const { waiting } = context.state;
    for (let next = waiting.first(); next !== null; next = waiting.first()) {
      const [at, event] = next;
      const [timestamp] = at;
      if (timestamp > now) {
        context.timers.setEventTime(TURN, timestamp);
        return;
      }
      waiting.delete(at);
      look({ event, timestamp }, context);
    }
  };
  const dropOver = (now: number, context: Context<K, V, R>): void => {
    const runs = context.state.runs.get() ?? [];
    const over = runs.filter((run) => matcher.isOver(run, now));
    tellTimedOut(over, context);
    keep(
      runs.filter((run) => !matcher.isOver(run, now)),
      context,
    );
  };

  return {
    name: options.name,
    state: {
      runs: State.value(runsSerde(eventSerde as Serde<V>, stages)),
      waiting: State.map(waitingKeySerde, eventSerde),
    },
    valueSerde: options.resultSerde as SerdeOf<R> | undefined,
    onRecord(value, context) {
      if (order !== 'eventTime') look({ event: value, timestamp: context.timestamp }, context);
      else if (context.timestamp >= context.eventTime) wait(value, context);
      else if (late !== undefined) context.output(late, value);
    },
    onTimer({ name, time }, context) {
      if (name === TURN) lookAtWaiting(time, context);
      else dropOver(time, context);
    },
  };
}
