// Owns the Java process that writes the input and reads what a run is judged by (java/ChaosPeer.java): Kafka's own clients, none of our code.
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, createReadStream, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { spawnJavaTool } from '#libs/broker-local';
import type { LocalBroker } from '#libs/broker-local';
import type { Chunk } from './input-plan.ts';

const SOURCE = join(import.meta.dirname, 'java/ChaosPeer.java');

export interface Lag {
  /** Offsets between what the group has committed and the stable ends. */
  readonly lag: number;
  /** Sum of the committed offsets: it grows with any progress. */
  readonly committed: number;
  readonly behind: Readonly<Record<string, number>>;
}

export interface PartitionEnds {
  readonly topic: string;
  readonly partition: number;
  /** The last stable offset, and the high watermark. */
  readonly stable: number;
  readonly end: number;
}

export interface Ends {
  readonly partitions: readonly PartitionEnds[];
  /** Transactions that are open or half-ended. */
  readonly transactions: readonly { readonly id: string; readonly state: string }[];
}

/** A committed record in bytes, each of which is a character (latin1). */
export interface RawRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
}

export class Peer {
  readonly #child: ChildProcess;
  readonly #answers: ((line: string | null) => void)[] = [];
  #stderr = '';
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess, logFile: string) {
    this.#child = child;
    createInterface({ input: child.stdout! }).on('line', (line) => this.#answers.shift()?.(line));
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4_000);
      // Its last words may come when the run's folder is gone.
      if (existsSync(dirname(logFile))) appendFileSync(logFile, chunk);
    });
    child.on('exit', () => {
      for (const answer of this.#answers.splice(0)) answer(null);
    });
    child.stdin!.on('error', () => undefined);
  }

  static async start(
    broker: Pick<LocalBroker, 'version' | 'bootstrapServers'>,
    name: string,
    logFile: string,
  ): Promise<Peer> {
    const child = await spawnJavaTool(broker, SOURCE, [broker.bootstrapServers.join(','), name], {
      jvmOptions: ['-Xmx384m', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'],
    });
    const peer = new Peer(child, logFile);
    await peer.#answer();
    return peer;
  }

  async createTopic(
    topic: string,
    partitions: number,
    configs: Readonly<Record<string, string>>,
  ): Promise<void> {
    const settings = Object.entries(configs).map(([key, value]) => `${key}=${value}`);
    await this.#ask(`create\t${topic}\t${partitions}\t${settings.join(',')}`);
  }

  /** Resolves when the chunk is committed, or aborted as planned. `redone`: transactions that had to be written again, so far. */
  async write({ records, endings }: Chunk): Promise<{ readonly redone: number }> {
    const lines = records.map(
      ({ producer, topic, timestamp, key, value }) =>
        `record\t${producer}\t${topic}\t\t${timestamp}\t${key}\t${value}\n`,
    );
    const ends = Object.entries(endings).map(([producer, ending]) => `${producer}=${ending}`);
    return this.#ask(`${lines.join('')}chunk\t${ends.join(',')}`);
  }

  async lag(group: string, topics: readonly string[]): Promise<Lag> {
    return this.#ask(`lag\t${group}\t${topics.join(',')}`);
  }

  async ends(): Promise<Ends> {
    return this.#ask('ends');
  }

  /** All committed records of the topics, by way of a file. */
  async read(file: string, topics: readonly string[]): Promise<RawRecord[]> {
    await this.#ask(`read\t${file}\t${topics.join(',')}`);
    const records: RawRecord[] = [];
    for await (const line of createInterface({ input: createReadStream(file, 'latin1') })) {
      const [topic = '', partition, offset, timestamp, key = '-', value = '-'] = line.split('\t');
      records.push({
        topic,
        partition: Number(partition),
        offset: Number(offset),
        timestamp: Number(timestamp),
        key: decoded(key),
        value: decoded(value),
      });
    }
    return records;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(timer);
  }

  /** One command at a time. */
  #ask<T>(command: string): Promise<T> {
    const asked = this.#turn.then(async () => {
      const answer = this.#answer();
      this.#child.stdin!.write(`${command}\n`);
      return (await answer) as T;
    });
    this.#turn = asked.catch(() => undefined);
    return asked;
  }

  async #answer(): Promise<unknown> {
    const line = await new Promise<string | null>((resolve) => {
      if (this.#child.exitCode === null) this.#answers.push(resolve);
      else resolve(null);
    });
    if (line === null) throw new Error(`the Java peer ended:\n${this.#stderr}`);
    const answer = JSON.parse(line) as { readonly error?: string };
    if (answer.error !== undefined) throw new Error(`the Java peer failed: ${answer.error}\n${this.#stderr}`);
    return answer;
  }
}

function decoded(text: string): string | null {
  return text === '-' ? null : Buffer.from(text.slice(1), 'base64').toString('latin1');
}
