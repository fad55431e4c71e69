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
  if (declared?.spec.kind !== 'keyValue' || !canReuse(source, declared.spec)) return;
  // The layout is part of the store's identity: to switch this on or off under one name would lose what the other topic has.
  const spec: StoreSpec = { ...declared.spec, sourceTopic: topic, layout: 'restored from its topic' };
  graph.stores[index] = { ...declared, spec };
}

function canReuse(source: SourceNode, spec: StoreSpec): boolean {
  if (!spec.logged || source.timestampExtractor !== null) return false;
  if ((source.futureTimestamps ?? null) !== null) return false;
  return (
    encodesAs([{ keySerde: source.keySerde, canonical: isCanonical(source.keySerde.name) }], spec.keySerde) &&
    sameEncoding(source.valueSerde, spec.valueSerde)
  );
}
