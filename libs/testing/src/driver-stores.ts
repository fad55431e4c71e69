// Owns where a test finds the stores of the application under test: in the open state of the tasks that run, or, of a global table, in
// its topic. Rows that are expired are not shown, whether they are dropped yet or not.
import { formatTopicPartition } from '#libs/core';
import { decodeOffsetMetadata, shortHash } from '#libs/runtime';
import type { TaskState } from '#libs/state';
import type { StoreSpec, SubTopology } from '#libs/topology';
import { noRunningInstance, storeMissing } from './errors.ts';
import type { SimulatedApplication } from './simulated-application.ts';
import { TestStore, isExpired } from './test-store.ts';
import type { StoredRow } from './test-store.ts';
import { tableOf } from './topic-table.ts';

export class DriverStores {
  readonly #application: SimulatedApplication;

  constructor(application: SimulatedApplication) {
    this.#application = application;
  }

  /** @throws MillraceError MILLRACE_INVALID_TOPOLOGY there is no store of that name. */
  store<K, V>(name: string): TestStore<K, V> {
    const application = this.#application;
    const global = application.topology.globalStores.find((store) => store.name === name);
    if (global !== undefined)
      return new TestStore<K, V>({ ...global, kind: 'keyValue' }, tableOf(application.cluster, global.topic));
    const { spec, subTopology } = this.#find(name);
    return new TestStore<K, V>(spec, {
      find: async (key) => {
        for (const [partition, state] of this.#states(subTopology)) {
          const found = await application.run(state.committed(name, key));
          if (found !== undefined && !isExpired(spec, key, this.#expireBefore(spec, subTopology, partition)))
            return found;
        }
        return undefined;
      },
      scan: async () => {
        const rows: StoredRow[] = [];
        for (const [partition, state] of this.#states(subTopology)) {
          const expireBefore = this.#expireBefore(spec, subTopology, partition);
          for (const row of await application.run(readAll(state, name)))
            if (!isExpired(spec, row.key, expireBefore)) rows.push(row);
        }
        return rows;
      },
    });
  }

  #find(name: string): { readonly spec: StoreSpec; readonly subTopology: SubTopology } {
    const known: string[] = [];
    for (const subTopology of this.#application.topology.subTopologies) {
      for (const spec of subTopology.stores) {
        if (spec.name === name) return { spec, subTopology };
        known.push(spec.name);
      }
    }
    throw storeMissing(name, known);
  }

  /** Open state of the tasks, by partition. */
  #states({ id }: SubTopology): (readonly [partition: number, state: TaskState])[] {
    const application = this.#application;
    application.refuseIfClosed();
    if (!application.isRunning) throw noRunningInstance('Reading a store');
    return [...application.statesOf(id)].sort(([a], [b]) => a - b);
  }

  /** Rows of the store that begin with an earlier time are expired. */
  #expireBefore(store: StoreSpec, { sources }: SubTopology, partition: number): number {
    if (store.kind !== 'ordered' || store.expiry === null) return -Infinity;
    const { cluster, applicationId } = this.#application;
    const committed = cluster.committedOffsets(applicationId);
    const clock = shortHash(store.expiry.clock);
    let now = -Infinity;
    for (const source of sources) {
      const name = formatTopicPartition(this.#application.topicOf(source), partition);
      const metadata = decodeOffsetMetadata(committed.get(name)?.metadata ?? null);
      now = Math.max(now, metadata?.clocks.get(clock) ?? -Infinity);
    }
    return now - store.expiry.retentionMs;
  }
}

async function readAll(state: TaskState, store: string): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  for await (const row of state.scan(store)) rows.push(row);
  return rows;
}
