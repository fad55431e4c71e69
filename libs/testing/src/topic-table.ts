// Owns a topic seen as a table: the newest value of each key. It is what a global table holds, whose topic every instance reads whole.
import type { BinaryString } from '#libs/core';
import { binaryFromBytes } from '#libs/serde';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { StoreSource, StoredValue } from './test-store.ts';

export function tableOf(cluster: SimulatedCluster, topic: string): StoreSource {
  const read = (): ReadonlyMap<BinaryString, StoredValue> => {
    const newest = new Map<BinaryString, StoredValue>();
    for (const { key, value, timestamp } of cluster.committedRecords(topic)) {
      if (key === null) continue;
      const encoded = binaryFromBytes(key);
      if (value === null) newest.delete(encoded);
      else newest.set(encoded, { value: binaryFromBytes(value), timestamp });
    }
    return newest;
  };
  return {
    find: (key) => Promise.resolve(read().get(key)),
    scan: () => Promise.resolve([...read()].map(([key, stored]) => ({ key, ...stored }))),
  };
}
