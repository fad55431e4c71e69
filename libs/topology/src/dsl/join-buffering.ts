// Owns how the buffer of a stream–table join with a grace period is declared.
import type { TopologyGraph } from '../graph.ts';
import { INTERNAL_NAME_LENGTH_MAX } from '../names.ts';
import { bufferedSerde } from '../operators/join-buffer.ts';
import type { StreamTableJoin } from '../operators/stream-table-join.ts';
import type { TableView } from '../operators/table-view.ts';
import type { Joined } from '../options.ts';
import type { StreamState } from './factory.ts';

type Loose = NonNullable<unknown>;

/** `null`: the join has no grace period. */
export function addJoinBuffer(
  graph: TopologyGraph,
  path: string,
  name: string,
  joined: Joined<Loose, Loose>,
  stream: StreamState,
  view: TableView,
): StreamTableJoin['buffer'] {
  const graceMs = joined.gracePeriodMs;
  if (graceMs === undefined) return null;
  if (!Number.isSafeInteger(graceMs) || graceMs < 0) {
    graph.addFault(
      path,
      `gracePeriodMs is ${String(graceMs)}.`,
      'Use a whole number of milliseconds, 0 or more.',
    );
  }
  if (joined.name === undefined) {
    graph.addFault(
      path,
      'the buffer of the join has no name.',
      'Name the join: Joined.as("…", { gracePeriodMs }).',
    );
  } else {
    graph.checkedName('name', joined.name, path, INTERNAL_NAME_LENGTH_MAX - '-Buffer'.length);
  }
  const { versioned } = view;
  if (versioned === undefined) {
    graph.addFault(
      path,
      'a join with a grace period needs a versioned table.',
      'Keep the table with `versioned: { historyRetentionMs }`, or leave gracePeriodMs out.',
    );
  } else if (versioned.historyRetentionMs < graceMs) {
    graph.addFault(
      path,
      `the grace period is ${graceMs} ms, but the table's history only ${versioned.historyRetentionMs} ms.`,
      'Lengthen historyRetentionMs.',
    );
  }
  const keySerde = graph.checkedSerde('key', path, joined.keySerde, stream.keySerde);
  const valueSerde = graph.checkedSerde('value', path, joined.valueSerde, stream.valueSerde);
  const store = `${name}-Buffer`;
  graph.addStore(
    {
      kind: 'ordered',
      name: store,
      keySerde,
      valueSerde: bufferedSerde(valueSerde),
      logged: true,
      changelogConfig: {},
      persistence: 'default',
      layout: 'join-buffer',
      resident: true,
      expiry: null,
    },
    path,
  );
  return { store, keySerde, graceMs };
}
