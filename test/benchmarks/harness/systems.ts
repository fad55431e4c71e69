// Owns how each side is started.
import { buildMillraceApp } from './millrace-build.ts';
import type { BenchOptions, Workload } from './options.ts';
import type { System } from './system-process.ts';

/** Ours: product defaults, the public JSON serde. */
export function millrace(options: BenchOptions): System {
  return {
    name: 'millrace',
    config: `Node ${process.versions.node}, ${workers(options.threads, 'worker')}, product defaults`,
    command: process.execPath,
    args: [...profiling(options), buildMillraceApp()],
  };
}

/** Where the settings for throughput are not the best ones (README.md). */
const PEER_SETTINGS: Partial<Record<Workload, Readonly<Record<string, string>>>> = {
  latency: { 'producer.linger.ms': '5' },
  // Its shortest: ten minutes would pass before a warmed-up task moves.
  rebalance: { 'producer.linger.ms': '5', 'probing.rebalance.interval.ms': '60000' },
};

export function kafkaStreams(
  options: BenchOptions,
  java: string,
  classpath: string,
  heap = options.peerHeap,
): System {
  return {
    name: 'kafka-streams',
    config: `Kafka Streams 4.3.1, ${workers(options.threads, 'stream thread')}, exactly_once_v2, heap ${heap} (${options.peerCollector} GC)`,
    command: java,
    args: [
      `-Xmx${heap}`,
      `-Xms${heap}`,
      `-XX:+Use${options.peerCollector}GC`,
      '-cp',
      classpath,
      'bench.KafkaStreamsPeer',
    ],
    overrides: { ...PEER_SETTINGS[options.workload], ...options.peerOverrides },
  };
}

function profiling({ cpuProf }: BenchOptions): string[] {
  return cpuProf === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${cpuProf}`];
}

function workers(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
