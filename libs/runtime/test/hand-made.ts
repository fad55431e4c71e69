// Topologies of one sub-topology whose operator is written by hand against the ports: for specs of what the runtime does behind them.
import { binaryFromUtf8, Serdes } from '#libs/serde';
import type { Serde } from '#libs/serde';
import type {
  CompiledTask,
  OrderedStoreSpec,
  SourceFunction,
  SourceSpec,
  StoreSpec,
  TaskPorts,
  Topology,
} from '#libs/topology';
import type { BinaryString } from '#libs/core';

const text = Serdes.string() as Serde<unknown>;

export interface HandMade {
  readonly process: SourceFunction;
  readonly init?: () => void;
  readonly close?: () => void;
}

/** Reads `in` (or `topics`), writes `out`; keys and values are strings. */
export function handMade(
  operator: (ports: TaskPorts) => HandMade,
  options: {
    readonly topics?: readonly string[];
    readonly stores?: readonly StoreSpec[];
    readonly source?: Partial<SourceSpec>;
    readonly globalStores?: Topology['globalStores'];
  } = {},
): Topology {
  const topics = options.topics ?? ['in'];
  const sources = topics.map((topic): SourceSpec => ({
    name: `source-${topic}`,
    topic,
    kind: 'stream',
    keySerde: text,
    valueSerde: text,
    timestampExtractor: null,
    offsetReset: null,
    readAhead: [],
    watermarks: null,
    futureTimestamps: null,
    ...options.source,
  }));
  return {
    subTopologies: [
      {
        id: 0,
        sources,
        sinks: [
          {
            name: 'sink',
            topic: 'out',
            kind: 'topic',
            keySerde: text,
            valueSerde: text,
            partitioner: () => 0,
            keyIsSourceKey: false,
            valueFromStore: null,
          },
        ],
        stores: options.stores ?? [],
        compile: (ports): CompiledTask => {
          const { process, init, close } = operator(ports);
          return {
            sources: sources.map(() => process),
            init: init ?? (() => undefined),
            close: close ?? (() => undefined),
            locate: () => null,
          };
        },
      },
    ],
    repartitions: [],
    coPartitionGroups: [],
    globalStores: options.globalStores ?? [],
    describe: () => '',
    describeAsMermaid: () => '',
    describeAsGraph: () => ({ subTopologies: [], globalStores: [] }),
  };
}

export const encodeText = (value: string): BinaryString => binaryFromUtf8(value);

export function keyValueStore(name: string, more: object = {}): StoreSpec {
  return {
    kind: 'keyValue',
    name,
    keySerde: text,
    valueSerde: text,
    logged: true,
    changelogConfig: {},
    persistence: 'default',
    ...more,
  };
}

export function orderedStore(name: string, more: Partial<OrderedStoreSpec> = {}): StoreSpec {
  return {
    kind: 'ordered',
    name,
    keySerde: text,
    valueSerde: text,
    logged: true,
    changelogConfig: {},
    persistence: 'default',
    resident: true,
    expiry: null,
    ...more,
  };
}
