// Owns how the parts of the DSL make one another: a stream gives a table gives a stream, without import cycles.
import type { AnySerde, GraphNode, SourceNode, TopologyGraph } from '../graph.ts';
import type { ChangeOptions } from '../operators/table.ts';
import type { TableView } from '../operators/stream-table-join.ts';
import type { BranchedKStreamImpl } from './branched.ts';
import type { KGroupedStreamImpl } from './kgrouped-stream.ts';
import type { KStreamImpl } from './kstream.ts';
import type { KTableImpl } from './ktable.ts';

/** What a stream knows of itself. A serde is `null` where it was lost and nobody gave a new one. */
export interface StreamState {
  readonly node: GraphNode;
  /** The calls that led here. */
  readonly path: string;
  readonly keySerde: AnySerde | null;
  readonly valueSerde: AnySerde | null;
  /** Sources whose partitions decide which task has a key. */
  readonly sources: readonly SourceNode[];
  /** The key was changed since the last topic: equal keys may be in different partitions. */
  readonly repartitionRequired: boolean;
}

export interface GroupedState extends StreamState {
  /** Given by the user, for the repartition topic. */
  readonly name: string | null;
}

export interface TableState {
  readonly node: GraphNode;
  readonly path: string;
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde | null;
  readonly sources: readonly SourceNode[];
  readonly view: TableView;
  /** Its changes may be of the past (KIP-914): it is kept with its history, or a filter or mapValues of such a one. */
  readonly isVersioned?: boolean;
  /** Asks this table, and those it is made of, to forward old values. */
  readonly enableSendingOldValues: () => void;
}

export interface DslFactory {
  readonly graph: TopologyGraph;
  stream(state: StreamState): KStreamImpl;
  grouped(state: GroupedState): KGroupedStreamImpl;
  branched(stream: StreamState, splitterName: string, path: string): BranchedKStreamImpl;
  table(state: TableState): KTableImpl;
}

/** Old values on demand, from this table up to its store. */
export function sendOldValuesUpwards(options: ChangeOptions, parent: (() => void) | null): () => void {
  return () => {
    if (options.sendOldValues) return;
    options.sendOldValues = true;
    parent?.();
  };
}
