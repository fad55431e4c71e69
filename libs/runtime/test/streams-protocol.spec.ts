// What an application whose tasks the broker assigns (KIP-1071) says of itself, and what it refuses to be asked.
import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import { Materialized, StreamsBuilder, checkPartitions } from '#libs/topology';
import type { Topology } from '#libs/topology';
import { resolveRuntimeConfig } from '../src/config.ts';
import { ClusterLayout } from '../src/cluster-layout.ts';
import { repartitionTopic } from '../src/names.ts';
import { streamsTopology } from '../src/streams-topology.ts';

const text = { keySerde: Serdes.string(), valueSerde: Serdes.string() };

function layoutOf(topology: Topology, counts: Readonly<Record<string, number>>): ClusterLayout {
  const partitionCounts = new Map(Object.entries(counts));
  const { repartitionCounts } = checkPartitions(topology, partitionCounts);
  for (const [name, count] of repartitionCounts) partitionCounts.set(repartitionTopic('app', name), count);
  return new ClusterLayout('app', topology, partitionCounts, 'earliest');
}

describe('the topology that a group is told', () => {
  it('names what is read, what is passed between sub-topologies and what keeps state', () => {
    const builder = new StreamsBuilder();
    builder
      .stream<string, string>('in', text)
      .selectKey((_key, value) => value)
      .repartition({ name: 'by-value', ...text })
      .groupByKey()
      .count({ name: 'counts', keySerde: text.keySerde })
      .toStream()
      .to('out', { keySerde: text.keySerde });
    const told = streamsTopology(layoutOf(builder.build(), { in: 3, out: 1 }));
    expect(told.epoch).toBe(0);
    expect(told.subtopologies).toEqual([
      {
        subtopologyId: '0',
        sourceTopics: ['in'],
        stateChangelogTopics: [],
        repartitionSinkTopics: ['app-by-value-repartition'],
        repartitionSourceTopics: [],
        copartitionGroups: [],
      },
      {
        subtopologyId: '1',
        sourceTopics: [],
        stateChangelogTopics: [
          {
            name: 'app-counts-changelog',
            partitions: 0,
            replicationFactor: 0,
            topicConfigs: [
              { key: 'cleanup.policy', value: 'compact' },
              { key: 'message.timestamp.type', value: 'CreateTime' },
            ],
          },
        ],
        repartitionSinkTopics: [],
        repartitionSourceTopics: [
          {
            name: 'app-by-value-repartition',
            partitions: 3,
            replicationFactor: 0,
            topicConfigs: [
              { key: 'cleanup.policy', value: 'delete' },
              { key: 'message.timestamp.type', value: 'CreateTime' },
              { key: 'retention.ms', value: '-1' },
            ],
          },
        ],
        copartitionGroups: [],
      },
    ]);
  });

  it('names the topics that are read together by their places', () => {
    const builder = new StreamsBuilder();
    const table = builder.table<string, string>('a-table', text, Materialized.as('names'));
    builder
      .stream<string, string>('a-stream', text)
      .join(table, (left, right) => `${left}${right}`, { valueSerde: text.valueSerde })
      .to('out', text);
    const { subtopologies } = streamsTopology(
      layoutOf(builder.build(), { 'a-table': 2, 'a-stream': 2, out: 1 }),
    );
    expect(subtopologies).toMatchObject([
      {
        sourceTopics: ['a-stream', 'a-table'],
        copartitionGroups: [{ sourceTopics: [0, 1], repartitionSourceTopics: [] }],
      },
    ]);
  });

  it('is the same however often it is told, and whatever its topics are kept for', () => {
    const build = (): Topology => {
      const builder = new StreamsBuilder();
      builder
        .stream<string, string>('in', text)
        .groupByKey()
        .count({ name: 'counts', keySerde: text.keySerde })
        .toStream()
        .to('out', { keySerde: text.keySerde });
      return builder.build();
    };
    const counts = { in: 3, out: 1 };
    expect(streamsTopology(layoutOf(build(), counts))).toEqual(streamsTopology(layoutOf(build(), counts)));
    expect(JSON.stringify(streamsTopology(layoutOf(build(), counts)))).not.toContain('retention');
  });
});

describe('the option groupProtocol', () => {
  const base = { applicationId: 'app', instanceId: 'one' };
  const faults = (options: object): readonly string[] => {
    try {
      resolveRuntimeConfig({ ...base, ...options });
      return [];
    } catch (error) {
      return (error as { context: { faults: readonly string[] } }).context.faults;
    }
  };

  it('is classic unless something else is asked for', () => {
    expect(resolveRuntimeConfig(base).groupProtocol).toBe('classic');
    expect(faults({ groupProtocol: 'streams' })).toEqual([]);
    expect(faults({ groupProtocol: 'consumer' })).toEqual([
      'groupProtocol must be classic or streams, is "consumer"',
    ]);
  });

  it('refuses under streams what only the group’s settings decide, and names without a fence behind them', () => {
    expect(faults({ groupProtocol: 'streams', numStandbys: 1 })).toEqual([
      expect.stringContaining('streams.num.standby.replicas'),
    ]);
    const named = { groupProtocol: 'streams', groupInstanceId: 'one' };
    expect(faults(named)).toEqual([]);
    expect(faults({ ...named, processingGuarantee: 'at_least_once' })).toEqual([
      expect.stringContaining('groupInstanceId under groupProtocol streams needs exactly_once'),
    ]);
  });
});
