// Versioned tables, their joins as of the record's time, and records that wait: twins of ../java/VersionedTopologies.java.
import { Joined, KeyValue, TableJoined } from '#libs/topology';
import type { KTable, Materialized, StreamsBuilder } from '#libs/topology';
import { keyOf } from './foreign-keys.ts';
import { both, consumed, digit, grouped, kept, letter, out, stream, text } from './words.ts';
import type { Topologies } from './words.ts';

const keptVersions = (name: string, historyRetentionMs: number): Materialized<string, string> => ({
  ...kept(name),
  versioned: { historyRetentionMs },
});
export const versioned = (b: StreamsBuilder, topic: string, historyMs: number): KTable<string, string> =>
  b.table(topic, consumed, keptVersions(`${topic}-versions`, historyMs));
const waiting = Joined.with(text, text, { name: 'j', gracePeriodMs: 50 });

export const versions: Topologies = {
  'versioned-table': (b) => out(versioned(b, 'table', 120).toStream()),
  'versioned-table-long': (b) => out(versioned(b, 'table', 2000).toStream()),
  'versioned-filter': (b) =>
    out(
      versioned(b, 'table', 300)
        .filter((_k, v) => digit(v) > 4)
        .toStream(),
    ),
  'versioned-map-values-materialized': (b) =>
    out(
      versioned(b, 'table', 300)
        .mapValues((v) => (digit(v) === 0 ? null : `m${v}`), kept('m'))
        .toStream(),
    ),
  'versioned-group-by': (b) =>
    out(
      versioned(b, 'table', 300)
        .groupBy((_k, v) => KeyValue.pair(letter(v), v), grouped)
        .aggregate(
          () => '',
          (_k, v, x) => `${x}+${v}`,
          (_k, v, x) => `${x}-${v}`,
          kept('s'),
        )
        .toStream(),
    ),
  'versioned-to-table': (b) => out(stream(b).toTable(keptVersions('versions', 120)).toStream()),
  'versioned-join': (b) => out(stream(b).join(versioned(b, 'table', 300), both)),
  'versioned-left-join': (b) => out(stream(b).leftJoin(versioned(b, 'table', 300), both)),
  'versioned-join-short': (b) => out(stream(b).leftJoin(versioned(b, 'table', 60), both)),
  'versioned-join-grace': (b) => out(stream(b).join(versioned(b, 'table', 300), both, waiting)),
  'versioned-join-lagging': (b) => out(stream(b).leftJoin(versioned(b, 'table', 150), both)),
  'versioned-left-join-grace': (b) =>
    out(
      stream(b)
        .filter((k) => k !== null)
        .leftJoin(versioned(b, 'table', 300), both, waiting),
    ),
  'versioned-table-join': (b) =>
    out(
      versioned(b, 'table', 300)
        .join(versioned(b, 'second', 300), both)
        .toStream(),
    ),
  'versioned-table-left-join': (b) =>
    out(
      versioned(b, 'table', 300)
        .leftJoin(versioned(b, 'second', 300), both)
        .toStream(),
    ),
  'versioned-table-outer-join': (b) =>
    out(
      versioned(b, 'table', 300)
        .outerJoin(versioned(b, 'second', 300), both)
        .toStream(),
    ),
  'versioned-foreign-key-join': (b) =>
    out(
      versioned(b, 'table', 300)
        .join(versioned(b, 'groups', 300), keyOf, both, TableJoined.as('j'), kept('s'))
        .toStream(),
    ),
};
