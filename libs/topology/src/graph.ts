// Owns the graph that the DSL draws: nodes in order of declaration, the stores they keep, the faults found on the way.
// The order is that of Kafka Streams, node by node, and so are the generated names. It compiles and runs nothing.
import type { Serde } from '#libs/serde';
import type { TopologyFault } from './faults.ts';
import { INTERNAL_NAME_LENGTH_MAX, nameFault } from './names.ts';
import type { Named } from './options.ts';
import type { Operator } from './operators/operator.ts';
import { failurePolicyFaults } from './options/failure-policy.ts';
import type { FailurePolicy } from './options/failure-policy.ts';
import type { Optimizations } from './options/optimization.ts';
import type { StateStore, StoreBuilder } from './options/stores.ts';
import type {
  FutureTimestampSpec,
  GlobalStoreSpec,
  RecordHeadersFunction,
  SourceSpec,
  StoreSpec,
  StreamPartitioner,
  TimestampExtractor,
  WatermarkSpec,
} from './plan.ts';
import type { RecordMetadata } from './ports.ts';

export type AnySerde = Serde<unknown>;

interface NodeCommon {
  readonly name: string;
  readonly path: string;
  readonly parents: readonly GraphNode[];
  /** In order of declaration: the order in which records reach them. */
  readonly children: GraphNode[];
}

export interface SourceNode extends NodeCommon {
  readonly kind: 'source';
  readonly source: SourceSpec['kind'];
  /** User topics, or the name of one repartition. */
  readonly topics: readonly string[];
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
  readonly timestampExtractor: TimestampExtractor | null;
  readonly offsetReset: 'earliest' | 'latest' | null;
  /** Left out: none. */
  readonly watermarks?: WatermarkSpec | null;
  readonly futureTimestamps?: FutureTimestampSpec | null;
}

export interface ProcessorNode extends NodeCommon {
  readonly kind: 'processor';
  readonly operator: Operator;
  /** Takes this side output of its only parent, not what the parent forwards. */
  readonly side?: string;
}

export interface SinkNode extends NodeCommon {
  readonly kind: 'sink';
  readonly sink: 'topic' | 'repartition';
  readonly topic: string | ((key: unknown, value: unknown, metadata: RecordMetadata) => string);
  readonly keySerde: AnySerde;
  readonly valueSerde: AnySerde;
  readonly partitioner: StreamPartitioner | null;
  /** Left out: those of the source record. */
  readonly headers?: RecordHeadersFunction | null;
  /** The other end of a repartition topic; `null` for user topics. */
  readonly readBy: SourceNode | null;
}

export type GraphNode = SourceNode | ProcessorNode | SinkNode;

export interface RepartitionDeclaration {
  readonly name: string;
  readonly partitionCount: number | null;
  readonly path: string;
}

export interface CoPartitionDeclaration {
  readonly operator: string;
  readonly sources: readonly SourceNode[];
}

export interface StoreDeclaration {
  readonly spec: StoreSpec;
  readonly path: string;
}

export interface GlobalStoreDeclaration {
  readonly spec: GlobalStoreSpec;
  readonly path: string;
  /** What `describe()` calls the two nodes that Kafka Streams has for it. */
  readonly sourceName: string;
  readonly processorName: string;
}

/** Stands in where a serde is missing, so that building goes on and finds the other faults. Never runs: the fault refuses the build. */
const MISSING_SERDE: AnySerde = {
  name: 'missing',
  serialize: () => new Uint8Array(0),
  deserialize: () => null,
};

const SERDE_OPTIONS = { key: 'keySerde', value: 'valueSerde', 'other value': 'otherValueSerde' };

export class TopologyGraph {
  readonly nodes: GraphNode[] = [];
  readonly stores: StoreDeclaration[] = [];
  readonly globalStores: GlobalStoreDeclaration[] = [];
  /** Builders of the stores that users declared, by name. */
  readonly userStores = new Map<string, StoreBuilder<StateStore>>();
  readonly repartitions: RepartitionDeclaration[] = [];
  /** Sinks of repartitions that others may share, by the filter before them. */
  readonly mergeable = new Map<GraphNode, SinkNode>();
  readonly coPartitions: CoPartitionDeclaration[] = [];
  readonly faults: TopologyFault[] = [];
  /** By the name of the node. */
  readonly failurePolicies = new Map<string, FailurePolicy>();
  optimizations: Optimizations = { reuseSourceTopics: false, mergeRepartitions: false };
  #nextIndex = 0;

  /** As Kafka Streams names processors: the counter advances also when the user gave a name. */
  nodeName(prefix: string, named: Named | undefined, path: string): string {
    const generated = prefix + String(this.#nextIndex++).padStart(10, '0');
    if (named === undefined) return generated;
    const name: unknown = typeof named === 'string' ? named : (named as { name?: unknown } | null)?.name;
    const chosen = this.checkedName('name', name, path) ? (name as string) : generated;
    if (typeof named === 'object' && named !== null) this.setFailurePolicy(chosen, named.failurePolicy, path);
    return chosen;
  }

  /** Of the node of this name; `undefined`: it has none of its own. */
  setFailurePolicy(node: string, policy: FailurePolicy | undefined, path: string): void {
    if (policy === undefined) return;
    const faults = failurePolicyFaults(policy);
    for (const { problem, remedy } of faults) this.addFault(path, problem, remedy);
    if (faults.length === 0) this.failurePolicies.set(node, policy);
  }

  /** Advances the counter where Kafka Streams does so for nodes that carry other names. */
  skipNames(count: number): void {
    this.#nextIndex += count;
  }

  addNode<N extends GraphNode>(node: N): N {
    this.nodes.push(node);
    for (const parent of node.parents) parent.children.push(node);
    return node;
  }

  addStore(spec: StoreSpec, path: string): void {
    this.stores.push({ spec, path });
  }

  /** Once for each builder, however often it is given. */
  addUserStore(builder: StoreBuilder<StateStore>, path: string): void {
    const { name, spec, problem, open } = (builder ?? {}) as Partial<typeof builder>;
    if (name === undefined || spec === undefined || typeof open !== 'function') {
      this.addFault(path, 'the store is no builder of a store.', 'Make it with Stores.…(…).');
      return;
    }
    if (this.userStores.get(name) === builder) return;
    this.checkedName('store name', name, path, INTERNAL_NAME_LENGTH_MAX);
    this.checkedSerde('key', path, spec.keySerde);
    this.checkedSerde('value', path, spec.valueSerde);
    if (typeof problem === 'string') this.addFault(path, `store "${name}": ${problem}`, 'Correct it.');
    this.addStore(spec, path);
    this.userStores.set(name, builder);
  }

  addFault(path: string, problem: string, remedy: string): void {
    this.faults.push({ path, problem, remedy });
  }

  checkedName(what: string, name: unknown, path: string, lengthMax?: number): boolean {
    const fault = nameFault(what, name, lengthMax);
    if (fault === null) return true;
    this.faults.push({ path, ...fault });
    return false;
  }

  /** Options that may be left out. What is no object is a fault, and as if it had been left out. */
  checkedOptions<T extends object>(given: T | undefined, path: string): Partial<T> {
    if (given === undefined) return {};
    if (typeof given === 'object' && given !== null) return given;
    this.addFault(path, `the options are ${String(given)}.`, 'Pass an object of options, or leave them out.');
    return {};
  }

  checkedFunction(what: string, given: unknown, path: string): void {
    if (typeof given === 'function') return;
    this.addFault(path, `the ${what} is not a function.`, 'Pass a function.');
  }

  /** The first serde given; a fault when there is none or it is none. */
  checkedSerde(
    what: 'key' | 'value' | 'other value' | 'map key',
    path: string,
    ...given: (object | null | undefined)[]
  ): AnySerde {
    const serde = given.find((candidate) => candidate !== undefined && candidate !== null);
    if (serde === undefined) {
      const remedy =
        what === 'map key' ? 'Give it to State.map(…).' : `Give it as the option ${SERDE_OPTIONS[what]}.`;
      this.addFault(path, `the ${what} serde is missing.`, remedy);
      return MISSING_SERDE;
    }
    const { serialize, deserialize } = serde as Partial<AnySerde>;
    if (typeof serialize !== 'function' || typeof deserialize !== 'function') {
      this.addFault(
        path,
        `the ${what} serde is no serde.`,
        'It needs the functions serialize and deserialize.',
      );
      return MISSING_SERDE;
    }
    return serde as AnySerde;
  }
}
