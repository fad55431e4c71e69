// Owns the stores of an application as handles see them: from the construction of the application to its end, through every worker that comes
// and goes. Where nothing runs it says so; what can be read is libs/runtime's.
import type { BinaryString } from '#libs/core';
import { queryableShape, storeNotRunning, storeShapes } from '#libs/runtime';
import type {
  ChangeOptions,
  EncodedChange,
  InstanceMetadata,
  KeyMetadata,
  LifecycleState,
  StoreAccess,
  StoreAnswer,
  StorePartitions,
  StoreQueries,
  StoreQuery,
  StoreShape,
} from '#libs/runtime';
import type { Topology } from '#libs/topology';

export interface ApplicationStoresParts {
  readonly topology: () => Topology;
  /** `null`: the application has not started. */
  readonly queries: () => StoreQueries | null;
  readonly state: () => LifecycleState;
}

export class ApplicationStores implements StoreAccess {
  private readonly parts: ApplicationStoresParts;
  private shapes: ReadonlyMap<string, StoreShape> | null = null;

  constructor(parts: ApplicationStoresParts) {
    this.parts = parts;
  }

  /** What can be queried, in the order of the topology. */
  get all(): readonly StoreShape[] {
    return [...this.known.values()].filter(({ kind }) => kind !== 'internal');
  }

  shape(name: string): StoreShape {
    return queryableShape(this.known, name);
  }

  async ask(query: StoreQuery): Promise<StoreAnswer> {
    return this.running(query.store).ask(query);
  }

  partitions(store: string): StorePartitions {
    return this.running(store).partitions(store);
  }

  changes(shape: StoreShape, options: ChangeOptions): AsyncGenerator<readonly EncodedChange[]> {
    return this.running(shape.name).changes(shape, options);
  }

  metadataForStore(store: string): readonly InstanceMetadata[] {
    return this.running(store).metadataForStore(store);
  }

  metadataForKey(store: string, key: BinaryString): KeyMetadata {
    return this.running(store).metadataForKey(store, key);
  }

  /** Which instance has a partition. @throws StoreQueryError MILLRACE_QUERY_INVALID there is none of that number */
  metadataForPartition(store: string, partition: number): KeyMetadata {
    return this.running(store).metadataForPartition(store, partition);
  }

  /** `applicationServer` of this instance; `null`: it has none, or does not run. */
  get ownHost(): string | null {
    return this.parts.queries()?.ownHost ?? null;
  }

  private running(store: string): StoreQueries {
    this.shape(store);
    const queries = this.parts.queries();
    if (queries === null) throw storeNotRunning(store, this.parts.state());
    return queries;
  }

  private get known(): ReadonlyMap<string, StoreShape> {
    return (this.shapes ??= storeShapes(this.parts.topology()));
  }
}
