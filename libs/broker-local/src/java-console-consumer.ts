// Owns reading a topic with Kafka's console consumer, a reader that shares no code with ours.
import { MillraceError } from '#libs/core';

import { javaTool } from './java-tool.ts';
import type { LocalBroker } from './local-broker.ts';

const MAIN_CLASS = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
// ASCII's own separators, which no text of a test contains.
const FIELD = '\u001f';
const LINE = '\u001e';
const NULL = '\u001d';

export interface ConsoleConsumerOptions {
  /** Default `read_committed`. */
  readonly isolation?: 'read_committed' | 'read_uncommitted';
  /** Stops after so many records. */
  readonly maxMessages?: number;
  /** Stops when no record came for so long, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
  /** From the first offset (default) or only what arrives from now on. */
  readonly fromBeginning?: boolean;
  /** One partition instead of all. */
  readonly partition?: number;
  /** Milliseconds the whole reading may take. Default 120,000. */
  readonly deadlineMs?: number;
}

/** A record as the console consumer prints it; key and value are UTF-8 text. */
export interface ConsoleRecord {
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the Unix epoch; -1 without a timestamp. */
  readonly timestamp: number;
  readonly timestampType: 'CreateTime' | 'LogAppendTime' | 'NO_TIMESTAMP';
  readonly key: string | null;
  readonly value: string | null;
}

/**
 * All records of `topic`, in the order of each partition. Keys and values must be text without control characters.
 * @throws MillraceError MILLRACE_LOCAL_BROKER_FAILED when the tool fails.
 */
export async function consumeWithJavaConsole(
  broker: Pick<LocalBroker, 'version' | 'bootstrapServers'>,
  topic: string,
  options: ConsoleConsumerOptions = {},
): Promise<ConsoleRecord[]> {
  // Releases before 4.2 know `--property` alone, 4.2 and later prefer (5.0: demand) `--formatter-property`.
  const [major = 4, minor = 3] = broker.version.split('.').map(Number);
  const property = major > 4 || (major === 4 && minor >= 2) ? '--formatter-property' : '--property';
  const args = ['--bootstrap-server', broker.bootstrapServers.join(','), '--topic', topic];
  args.push('--isolation-level', options.isolation ?? 'read_committed');
  args.push('--timeout-ms', String(options.timeoutMs ?? 5_000));
  if (options.maxMessages !== undefined) args.push('--max-messages', String(options.maxMessages));
  if (options.partition !== undefined) {
    args.push('--partition', String(options.partition));
    args.push('--offset', (options.fromBeginning ?? true) ? 'earliest' : 'latest');
  } else if (options.fromBeginning ?? true) {
    args.push('--from-beginning');
  }
  for (const shown of ['timestamp', 'partition', 'offset', 'key', 'value']) {
    args.push(property, `print.${shown}=true`);
  }
  args.push(
    property,
    `key.separator=${FIELD}`,
    property,
    `line.separator=${LINE}`,
    property,
    `null.literal=${NULL}`,
  );
  const result = await javaTool(broker, MAIN_CLASS, args, { timeoutMs: options.deadlineMs ?? 120_000 });
  if (result.exitCode !== 0) {
    throw new MillraceError({
      code: 'MILLRACE_LOCAL_BROKER_FAILED',
      message: `The console consumer could not read topic '${topic}'.`,
      cause: new Error(result.stderr.slice(-2000)),
    });
  }
  return parseConsoleOutput(result.stdout);
}

/** The records in what the console consumer printed with this file's separators. */
export function parseConsoleOutput(output: Buffer): ConsoleRecord[] {
  const records: ConsoleRecord[] = [];
  let start = 0;
  for (;;) {
    const end = output.indexOf(LINE, start);
    if (end === -1) return records;
    const fields = output.toString('utf8', start, end).split(FIELD);
    start = end + 1;
    const [time = '', partition = '', offset = '', key = '', value = ''] = fields;
    const [timestampType, timestamp] = time.split(':');
    records.push({
      partition: Number(partition.slice('Partition:'.length)),
      offset: Number(offset.slice('Offset:'.length)),
      timestamp: timestamp === undefined ? -1 : Number(timestamp),
      timestampType: timestampType as ConsoleRecord['timestampType'],
      key: key === NULL ? null : key,
      value: value === NULL ? null : value,
    });
  }
}
