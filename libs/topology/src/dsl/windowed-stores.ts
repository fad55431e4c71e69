// Owns what the windows of an aggregation mean for its state: checks, the store and how long it keeps rows, the serde of the result's keys.
// Whoever aggregates in windows by other means than `windowedBy` (a cogroup) declares its store here and adds `windowedOperator`.
import type { AnySerde, TopologyGraph } from '../graph.ts';
import { WindowedSerdes } from '#libs/serde';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import { windowAggregateOperator } from '../operators/window-aggregate.ts';
import { CLOSING_SERDE } from '../operators/window-closing.ts';
import { countWindowAggregateOperator, countedSerde } from '../operators/window-count.ts';
import { sessionAggregateOperator } from '../operators/window-session.ts';
import { slidingAggregateOperator } from '../operators/window-sliding.ts';
import type { WindowAggregation, WindowOperator, WindowStore } from '../operators/window-fold.ts';
import type { EmitStrategy, FixedWindows, SessionWindows } from '../options/windows.ts';
import type { LooseMaterialized } from './materializing.ts';

export type AnyWindows = FixedWindows | SessionWindows;

/** Added to the retention of a store for its changelog, as in Kafka Streams (windowstore.changelog.additional.retention.ms). */
const CHANGELOG_RETENTION_EXTRA_MS = 24 * 60 * 60 * 1000;

const CLOSING_SUFFIX = '-closing';

interface WindowRules {
  /** The time that rows are hidden by (the store's, as in Kafka Streams) is so much behind the time that they are dropped by, at most. */
  readonly lagMs: number;
  /** Of what the store is, for its identity. */
  readonly layout: string;
  /** The shortest retention that keeps all that is still needed; `Infinity`: rows are kept for ever. */
  readonly retentionMsMin: number;
}

function rulesOf(windows: AnyWindows): WindowRules {
  switch (windows.kind) {
    case 'time':
      return {
        layout: `window(size=${windows.sizeMs})`,
        retentionMsMin: windows.sizeMs + windows.graceMs,
        lagMs: windows.sizeMs,
      };
    case 'cumulative':
      return {
        layout: `cumulative(size=${windows.maxSizeMs})`,
        retentionMsMin: windows.maxSizeMs + windows.graceMs,
        lagMs: windows.maxSizeMs,
      };
    case 'sliding':
      return {
        layout: `sliding(difference=${windows.timeDifferenceMs})`,
        retentionMsMin: 2 * windows.timeDifferenceMs + windows.graceMs,
        lagMs: windows.timeDifferenceMs,
      };
    case 'session':
      return { layout: 'session', retentionMsMin: windows.gapMs + windows.graceMs, lagMs: 0 };
    case 'unlimited':
      return { layout: `unlimited(start=${windows.startMs})`, retentionMsMin: Infinity, lagMs: 0 };
    case 'count':
      return {
        layout: `count(size=${windows.size},slide=${windows.slide})`,
        retentionMsMin: Infinity,
        lagMs: 0,
      };
  }
}

/** What is wrong with a number of the options; `null`: nothing. */
function problemOf(windows: Partial<AnyWindows> | undefined): string | null {
  const whole = (what: string, value: number | undefined, min: number): string | null =>
    Number.isSafeInteger(value) && value! >= min
      ? null
      : `the ${what} is ${String(value)}, not a whole number from ${min} up.`;
  const first = (...problems: (string | null)[]): string | null =>
    problems.find((problem) => problem !== null) ?? null;
  switch (windows?.kind) {
    case 'time': {
      const { sizeMs, advanceMs, graceMs } = windows;
      return (
        first(whole('size', sizeMs, 1), whole('advance', advanceMs, 1), whole('grace period', graceMs, 0)) ??
        (advanceMs! > sizeMs!
          ? `the advance of ${advanceMs!} ms is larger than the size of ${sizeMs!} ms.`
          : null)
      );
    }
    case 'sliding':
      return first(
        whole('time difference', windows.timeDifferenceMs, 0),
        whole('grace period', windows.graceMs, 0),
      );
    case 'session':
      return first(whole('inactivity gap', windows.gapMs, 1), whole('grace period', windows.graceMs, 0));
    case 'unlimited':
      return whole('start', windows.startMs, 0);
    case 'cumulative': {
      const { maxSizeMs, stepMs, graceMs } = windows;
      return (
        first(
          whole('maximum size', maxSizeMs, 1),
          whole('step', stepMs, 1),
          whole('grace period', graceMs, 0),
        ) ??
        (maxSizeMs! % stepMs! === 0
          ? null
          : `the maximum size of ${maxSizeMs!} ms is no multiple of the step of ${stepMs!} ms.`)
      );
    }
    case 'count': {
      const { size, slide } = windows;
      return (
        first(whole('size', size, 1), whole('slide', slide, 1)) ??
        (slide! > size! ? `the slide of ${slide!} records is larger than the size of ${size!}.` : null)
      );
    }
    default:
      return 'the windows are none that Millrace knows.';
  }
}

/** @returns false: there is a fault, the windows must not be used. */
export function checkedWindows(graph: TopologyGraph, path: string, windows: AnyWindows): boolean {
  const problem = problemOf(windows);
  if (problem === null) return true;
  graph.addFault(path, problem, 'Use TimeWindows.ofSizeAndGrace(minutes(5), seconds(30)) and its like.');
  return false;
}

/** The serde of the keys of the result. */
export function windowedKeySerde(windows: AnyWindows, inner: AnySerde): AnySerde {
  switch (windows.kind) {
    case 'time':
      return WindowedSerdes.timeWindowed(inner, windows.sizeMs);
    case 'sliding':
      return WindowedSerdes.timeWindowed(inner, windows.timeDifferenceMs);
    case 'unlimited':
      return WindowedSerdes.timeWindowed(inner, Infinity);
    case 'count':
      return WindowedSerdes.timeWindowed(inner, windows.size);
    case 'session':
    case 'cumulative':
      return WindowedSerdes.sessionWindowed(inner);
  }
}

/** `clock`: the name of the node whose time expires the rows; `null`: several nodes aggregate in the store, its own time does. */
export function declareWindowStore(
  graph: TopologyGraph,
  path: string,
  materialized: LooseMaterialized,
  request: {
    readonly windows: AnyWindows;
    readonly emit: EmitStrategy;
    readonly key: AnySerde;
    readonly value: AnySerde;
    readonly clock: string | null;
  },
): WindowStore {
  const { windows, key, value, clock } = request;
  let { name } = materialized;
  if (name === undefined || name === null) {
    graph.addFault(
      path,
      'the state store has no name.',
      'Name it: Materialized.as("…"), and never change it.',
    );
    name = `unnamed-${graph.nodes.length}`;
  } else {
    graph.checkedName('store name', name, path, INTERNAL_NAME_LENGTH_MAX - CLOSING_SUFFIX.length);
  }
  const { layout, retentionMsMin, lagMs } = rulesOf(windows);
  if (materialized.versioned !== undefined) {
    graph.addFault(path, 'a table of windows cannot be versioned.', 'Leave `versioned` out.');
  }
  const retentionMs = materialized.retentionMs ?? retentionMsMin;
  if (
    !(Number.isSafeInteger(retentionMs) && retentionMs >= retentionMsMin) &&
    Number.isFinite(retentionMsMin)
  ) {
    graph.addFault(
      path,
      `the retention of ${String(retentionMs)} ms is shorter than the ${retentionMsMin} ms that its windows need with their grace.`,
      'Make retentionMs longer, or leave it out.',
    );
  }
  const expires = Number.isFinite(retentionMs) && Number.isFinite(retentionMsMin);
  const closing =
    request.emit.kind === 'onWindowClose' && windows.kind !== 'count' ? name + CLOSING_SUFFIX : null;
  // Where windows are emitted on close, by the time up to which they were.
  const expiryClock = closing === null ? (clock ?? `store/${name}`) : `own/${closing}`;
  const common = {
    kind: 'ordered',
    keySerde: key,
    logged: materialized.loggingEnabled ?? true,
    changelogConfig: {
      ...(expires
        ? {
            'cleanup.policy': 'compact,delete',
            'retention.ms': String(retentionMs + CHANGELOG_RETENTION_EXTRA_MS),
          }
        : {}),
      ...materialized.changelogConfig,
    },
    persistence: materialized.storeType === 'inMemory' ? 'memory' : 'default',
    resident: false,
    expiry: expires ? { clock: expiryClock, retentionMs: retentionMs + lagMs } : null,
  } as const;
  const valueSerde = windows.kind === 'count' ? countedSerde(value) : value;
  graph.addStore({ ...common, name, valueSerde, layout }, path);
  if (closing !== null) {
    graph.addStore(
      { ...common, name: closing, valueSerde: CLOSING_SERDE, layout: `closing(${layout})` },
      path,
    );
  }
  return { name, keySerde: key, valueSerde: value, closing, retentionMs: expires ? retentionMs : Infinity };
}

/** The aggregation of `aggregation.fold` in `windows`. Its store is what `declareWindowStore` gave. */
export function windowedOperator(
  windows: AnyWindows,
  emit: EmitStrategy,
  aggregation: WindowAggregation,
): WindowOperator {
  switch (windows.kind) {
    case 'time':
    case 'cumulative':
    case 'unlimited':
      return windowAggregateOperator(windows, aggregation);
    case 'sliding':
      return slidingAggregateOperator(windows, aggregation);
    case 'session':
      return sessionAggregateOperator(windows, aggregation);
    case 'count':
      return countWindowAggregateOperator(windows, aggregation, emit.kind === 'onWindowClose');
  }
}
