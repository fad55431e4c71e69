// Owns when the topic of a table can stand in for the changelog of its store: when both would hold the same records.
import type { SourceNode, TopologyGraph } from '../graph.ts';
import type { StoreSpec } from '../plan.ts';
import { encodesAs, isCanonical, sameEncoding } from '../provenance.ts';

/** Declares the table's topic to be its changelog, where it can be; else the store keeps a changelog of its own. */
export function reuseSourceTopic(
  graph: TopologyGraph,
  source: SourceNode,
  topic: string,
  store: string,
): void {
  const index = graph.stores.findIndex(({ spec }) => spec.name === store);
  const declared = graph.stores[index];
  if (declared === undefined || !canReuse(source, declared.spec)) return;
  graph.stores[index] = { ...declared, spec: { ...declared.spec, sourceTopic: topic } as StoreSpec };
}

function canReuse(source: SourceNode, spec: StoreSpec): boolean {
  if (spec.kind !== 'keyValue' || !spec.logged) return false;
  if (source.timestampExtractor !== null || (source.futureTimestamps ?? null) !== null) return false;
  return (
    encodesAs([{ keySerde: source.keySerde, canonical: isCanonical(source.keySerde.name) }], spec.keySerde) &&
    sameEncoding(source.valueSerde, spec.valueSerde)
  );
}
