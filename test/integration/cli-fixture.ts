// Owns what the specs of the command line share: an application with a repartition topic, a table and windows, and a way to run commands as the process does.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '#libs/cli';
import { sleep, systemClock } from '#libs/core';
import { RecordProducer, Serdes, StreamsApplication, readTopic, silentLogger } from '#libs/millrace';
import type { StreamsApplicationOptions } from '#libs/millrace';
import { uniqueName } from '../support/broker.ts';
import type { SharedBroker } from '../support/broker.ts';
import { createTopics } from '../support/topics.ts';
import { wordTopology } from './cli-topology.ts';

const text = Serdes.string();
const number = Serdes.json<number>();

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CliFixture {
  readonly lines = uniqueName('lines');
  readonly out = uniqueName('out');
  readonly dead = uniqueName('dead');
  readonly applicationId = uniqueName('words');
  readonly brokers: string[];
  private readonly folders: string[] = [];
  readonly applications: StreamsApplication[] = [];
  stateDir = '';

  private constructor(broker: SharedBroker) {
    this.brokers = [...broker.bootstrapServers];
  }

  static async on(broker: SharedBroker, partitions = 2): Promise<CliFixture> {
    const fixture = new CliFixture(broker);
    fixture.stateDir = await fixture.folder();
    await createTopics(fixture.brokers[0]!, [
      { topic: fixture.lines, numPartitions: partitions },
      { topic: fixture.out, numPartitions: 1 },
      { topic: fixture.dead, numPartitions: 1 },
    ]);
    return fixture;
  }

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
    this.folders.push(folder);
    return folder;
  }

  async close(): Promise<void> {
    for (const application of this.applications) await application.stop();
    for (const folder of this.folders) await rm(folder, { recursive: true, force: true });
  }

  /** Words at the given times, each by itself to partitions in turn. */
  async publish(words: readonly (readonly [word: string, timestamp: number])[]): Promise<void> {
    const producer = new RecordProducer({ kafka: { brokers: this.brokers }, logger: silentLogger });
    await producer.send({
      ...{ topic: this.lines, keySerde: text, valueSerde: text },
      records: words.map(([value, timestamp], at) => ({
        ...{ partition: at % 2, key: `line-${at}`, value, timestamp },
      })),
    });
    await producer.close();
  }

  options(more: Partial<StreamsApplicationOptions> = {}): StreamsApplicationOptions {
    return {
      ...{ applicationId: this.applicationId, kafka: { brokers: this.brokers }, stateDir: this.stateDir },
      ...{
        topology: wordTopology(this.lines, this.out, this.dead),
        logger: silentLogger,
        commitIntervalMs: 50,
      },
      ...more,
    };
  }

  async start(more: Partial<StreamsApplicationOptions> = {}): Promise<StreamsApplication> {
    const application = new StreamsApplication(this.options(more));
    this.applications.push(application);
    await application.start();
    await application.whenRunning();
    return application;
  }

  /** Processes all there is, and stops. @throws what the application ended with */
  async run(): Promise<void> {
    const application = new StreamsApplication(this.options({ until: 'latest' }));
    await application.start();
    await application.whenEnded();
    if (application.error !== null) throw application.error;
  }

  /** The last count of each word that was written at `from` or later. */
  async totals(from = 0): Promise<Record<string, number>> {
    const totals: Record<string, number> = {};
    const serdes = { keySerde: text, valueSerde: number };
    for await (const { key, value, offset } of readTopic({
      ...{ kafka: { brokers: this.brokers }, topic: this.out, ...serdes },
    }))
      if (offset >= from) totals[key!] = value!;
    return totals;
  }

  async written(): Promise<number> {
    let end = 0;
    const serdes = { keySerde: text, valueSerde: number };
    for await (const { offset } of readTopic({
      kafka: { brokers: this.brokers },
      topic: this.out,
      ...serdes,
    }))
      end = offset + 1;
    return end;
  }

  /** A command with the brokers' address. */
  command(...args: string[]): Promise<CommandResult> {
    return runCommand(...args, '-b', this.brokers.join(','));
  }

  /** Its answer as JSON. */
  async json<T>(...args: string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await this.command(...args, '--json');
    if (exitCode === 2 || stdout === '') throw new Error(`exit code ${exitCode}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }
}

/** As `millrace …` runs, without a process. */
export async function runCommand(...args: string[]): Promise<CommandResult> {
  const written = { stdout: '', stderr: '' };
  const exitCode = await runCli(args, {
    stdout: { write: (part: string) => (written.stdout += part) },
    stderr: { write: (part: string) => (written.stderr += part) },
    environment: {},
    clock: systemClock,
    onInterrupt: () => () => undefined,
  });
  return { exitCode, ...written };
}

/** Until `condition` holds, which it does when all goes well. */
export async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await sleep(systemClock, 50);
}
