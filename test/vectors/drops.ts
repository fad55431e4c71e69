// Owns where Millrace counts dropped records in another way than Kafka Streams. Everywhere else the counts are equal, run by run.

interface Otherwise {
  readonly topologies: RegExp;
  readonly why: string;
}

export const countedOtherwise: readonly Otherwise[] = [
  {
    topologies:
      /^(repartition|headers|group-by|two-aggregates|tumbling-after-group-by|cogroup-three|process-then-count|optimized|stream(-left|-table)*-join-after-select-key)/,
    why: 'A record with a null key does not get into a repartition topic: Millrace counts it, Kafka Streams filters it silently.',
  },
  {
    topologies: /^(hopping|two-window-sizes|suppress-windows-time-limit|cogroup-hopping)/,
    why: 'Kafka Streams counts a late record once for each of its windows; Millrace counts one that is late for all of them once.',
  },
  {
    topologies: /^stream-(self-|left-|outer-)?join/,
    why: 'A record older than the join keeps any is not kept: Millrace counts it, Kafka Streams only once its segment is gone.',
  },
  {
    topologies: /^(global|process-global-store)/,
    why: 'Records of a global table without a key are counted by the reader of the topic, which the driver has not.',
  },
  {
    topologies: /^process-versioned-store/,
    why: 'Of a version that is too old for its store Millrace tells the processor; Kafka Streams counts it too.',
  },
];

export const countsDropsAlike = (name: string): boolean =>
  !countedOtherwise.some(({ topologies }) => topologies.test(name));
