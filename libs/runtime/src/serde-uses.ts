// Owns what each serde of a topology is used for, by the names that topics have in the cluster: told to the serdes before the first record.
import type { Serde, SerdeUse } from '#libs/serde';
import type { ClusterLayout } from './cluster-layout.ts';
import { changelogTopic } from './names.ts';

type Use = readonly [Serde<unknown>, SerdeUse];

export function serdeUses(layout: ClusterLayout): Use[] {
  const uses: Use[] = [];
  const add = (part: SerdeUse['part'], serde: Serde<unknown>, rest: Omit<SerdeUse, 'part'>): void =>
    void uses.push([serde, { ...rest, part }]);
  for (const sub of layout.topology.subTopologies) {
    for (const source of sub.sources) {
      const kind = source.kind === 'repartition' ? 'repartition' : 'external';
      const rest = { topic: layout.sourceTopic(source), kind, reads: true, writes: false } as const;
      add('key', source.keySerde, rest);
      add('value', source.valueSerde, rest);
    }
    for (const sink of sub.sinks) {
      const kind = sink.kind === 'repartition' ? 'repartition' : 'external';
      const rest = { topic: layout.sinkTopic(sink), kind, reads: false, writes: true } as const;
      add('key', sink.keySerde, rest);
      add('value', sink.valueSerde, rest);
    }
    for (const store of sub.stores) {
      const topic = changelogTopic(layout.applicationId, store.name);
      const rest = { topic, kind: 'changelog', reads: true, writes: true } as const;
      add('key', store.keySerde, rest);
      add('value', store.valueSerde, rest);
      for (const { serde, part, role } of store.inside ?? [])
        add(part, serde, { ...rest, topic: `${topic}-${role}` });
    }
  }
  for (const { topic, keySerde, valueSerde } of layout.topology.globalStores) {
    // Keys are looked up by the bytes that the serde writes for them.
    add('key', keySerde, { topic, kind: 'external', reads: true, writes: true });
    add('value', valueSerde, { topic, kind: 'external', reads: true, writes: false });
  }
  return uses;
}
