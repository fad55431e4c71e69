// Owns the topic configurations the simulated cluster knows, their defaults (Kafka 4) and what values they take. What they do
// is done where the log is written, read and cleaned.

type Check = (value: string) => boolean;

const number =
  (min: number, max = Number.MAX_SAFE_INTEGER): Check =>
  (value) => {
    const parsed = /^-?\d+$/.test(value) ? Number(value) : NaN;
    return parsed >= min && (parsed <= max || value === LONG_MAX);
  };
const ratio: Check = (value) => /^(0(\.\d+)?|1(\.0+)?)$/.test(value);
const oneOf =
  (...values: string[]): Check =>
  (value) =>
    values.includes(value);
const policies: Check = (value) =>
  value.split(',').every((policy) => policy.trim() === 'compact' || policy.trim() === 'delete');

const LONG_MAX = '9223372036854775807';

const DEFINITIONS: Readonly<Record<string, readonly [byDefault: string, check: Check]>> = {
  'cleanup.policy': ['delete', policies],
  'compression.type': ['producer', oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer')],
  'delete.retention.ms': ['86400000', number(0)],
  'file.delete.delay.ms': ['60000', number(0)],
  'flush.messages': [LONG_MAX, number(1)],
  'flush.ms': [LONG_MAX, number(0)],
  'index.interval.bytes': ['4096', number(0)],
  'local.retention.bytes': ['-2', number(-2)],
  'local.retention.ms': ['-2', number(-2)],
  'max.compaction.lag.ms': [LONG_MAX, number(1)],
  'max.message.bytes': ['1048588', number(0)],
  'message.timestamp.after.max.ms': ['3600000', number(0)],
  'message.timestamp.before.max.ms': [LONG_MAX, number(0)],
  'message.timestamp.type': ['CreateTime', oneOf('CreateTime', 'LogAppendTime')],
  'min.cleanable.dirty.ratio': ['0.5', ratio],
  'min.compaction.lag.ms': ['0', number(0)],
  'min.insync.replicas': ['1', number(1)],
  preallocate: ['false', oneOf('true', 'false')],
  'remote.storage.enable': ['false', oneOf('true', 'false')],
  'retention.bytes': ['-1', number(-1)],
  'retention.ms': ['604800000', number(-1)],
  'segment.bytes': ['1073741824', number(14)],
  'segment.index.bytes': ['10485760', number(4)],
  'segment.jitter.ms': ['0', number(0)],
  'segment.ms': ['604800000', number(1)],
  'unclean.leader.election.enable': ['false', oneOf('true', 'false')],
};

export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  readonly isDefault: boolean;
}

/** What is wrong with a configuration; undefined: nothing. */
export function configProblem(name: string, value: string | null): string | undefined {
  const definition = DEFINITIONS[name];
  if (definition === undefined) return `Unknown topic config name: ${name}`;
  if (value === null) return `Null value not supported for topic configs: ${name}`;
  return definition[1](value) ? undefined : `Invalid value ${value} for configuration ${name}`;
}

export class TopicConfig {
  readonly #own: ReadonlyMap<string, string>;
  readonly #clusterDefaults: Readonly<Record<string, string>>;
  readonly compacted: boolean;
  readonly deleted: boolean;
  readonly maxMessageBytes: number;
  readonly timestampAfterMaxMs: number;
  readonly logAppendTime: boolean;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly deleteRetentionMs: number;
  readonly minCompactionLagMs: number;

  constructor(own: ReadonlyMap<string, string>, clusterDefaults: Readonly<Record<string, string>>) {
    this.#own = own;
    this.#clusterDefaults = clusterDefaults;
    const policy = this.value('cleanup.policy').split(',');
    this.compacted = policy.some((part) => part.trim() === 'compact');
    this.deleted = policy.some((part) => part.trim() === 'delete');
    this.maxMessageBytes = Number(this.value('max.message.bytes'));
    this.timestampAfterMaxMs = Number(this.value('message.timestamp.after.max.ms'));
    this.logAppendTime = this.value('message.timestamp.type') === 'LogAppendTime';
    this.retentionMs = Number(this.value('retention.ms'));
    this.retentionBytes = Number(this.value('retention.bytes'));
    this.deleteRetentionMs = Number(this.value('delete.retention.ms'));
    this.minCompactionLagMs = Number(this.value('min.compaction.lag.ms'));
  }

  value(name: string): string {
    return this.#own.get(name) ?? this.#clusterDefaults[name] ?? DEFINITIONS[name]![0];
  }

  /** This configuration with some values changed. */
  with(changes: Readonly<Record<string, string>>): TopicConfig {
    return new TopicConfig(new Map([...this.#own, ...Object.entries(changes)]), this.#clusterDefaults);
  }

  entries(names: readonly string[] | null): ConfigEntry[] {
    const wanted = names ?? Object.keys(DEFINITIONS);
    return wanted
      .filter((name) => DEFINITIONS[name] !== undefined)
      .map((name) => ({ name, value: this.value(name), isDefault: !this.#own.has(name) }));
  }
}
