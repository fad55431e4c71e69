// Owns what makes a sub-topology the same in two versions of an application: what its tasks read and what state they keep. What they do
// with it may change from version to version, that is what upgrades are for.
import { createHash } from 'node:crypto';
import type { ClusterLayout } from '../cluster-layout.ts';

/** A fingerprint of 32 bits for each sub-topology, by its number. */
export function topologyShapes(layout: ClusterLayout): ReadonlyMap<number, number> {
  const shapes = new Map<number, number>();
  for (const sub of layout.topology.subTopologies) {
    const sources = sub.sources.map((source) => layout.sourceTopic(source)).sort();
    const stores = sub.stores.map(({ name, kind }) => `${name}:${kind}`).sort();
    const hash = createHash('sha256')
      .update(JSON.stringify([sources, stores]))
      .digest();
    shapes.set(sub.id, hash.readUInt32BE(0));
  }
  return shapes;
}
