// All topologies of the vectors by name, as the Java program has them.
import { StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { aggregates } from './aggregates.ts';
import { cogroups } from './cogroups.ts';
import { foreignKeys } from './foreign-keys.ts';
import { headers } from './headers.ts';
import { nodes } from './nodes.ts';
import { processors } from './processors.ts';
import { stateless } from './stateless.ts';
import { streamJoins } from './stream-joins.ts';
import { suppress } from './suppress.ts';
import { tableJoins } from './table-joins.ts';
import { tables } from './tables.ts';
import { versions } from './versioned.ts';
import { windows } from './windows.ts';
import type { Vectors } from '../vectors.ts';
import type { Topologies } from './words.ts';

const drawn: Topologies = {
  ...stateless,
  ...aggregates,
  ...tables,
  ...windows,
  ...suppress,
  ...streamJoins,
  ...tableJoins,
  ...cogroups,
  ...foreignKeys,
  ...processors,
  ...versions,
  ...headers,
};

/** Names of all topologies. */
export const topologyNames: readonly string[] = [...Object.keys(drawn), ...Object.keys(nodes)];

/** What the driver of libs/topology leaves out: it starts behind the reading of topics. */
export const needsTheRuntime: ReadonlySet<string> = new Set(['timestamp-extractor']);

export function buildTopology({ topology, optimized }: Vectors): Topology {
  const byNode = nodes[topology];
  if (byNode !== undefined) return byNode().build();
  const builder = new StreamsBuilder({ optimize: optimized === true ? 'all' : 'none' });
  drawn[topology]!(builder);
  return builder.build();
}
