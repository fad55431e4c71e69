// Owns putting dead letters back where they came from, exactly once.
//
// 1. A batch of them is written to their topics, and which they were is noted beside the offsets of the group `<application.id>-dlq-redrive`, in one transaction.
// 2. Whoever begins under that transactional id ends what an earlier run left open, then reads the notes: what that run had written is noted,
//    or was never there.
// 3. After anything ambiguous nothing is reused: the writer begins anew, the notes are read again, and they say whether it had been.
import { RecordBatchEncoder } from '#libs/broker';
import type { BrokerClient, GroupMetadata, TransactionalWriter } from '#libs/broker';
import { EpochAbortedError, FatalError, MillraceError, silentLogger, sleep, systemClock } from '#libs/core';
import type { Clock } from '#libs/core';
import { binaryFromBytes } from '#libs/serde';
import { connect } from '../connect.ts';
import type { DeadLetter, RedriveOptions, RedriveRefusal, RedriveReport } from './contract.ts';
import { matches, readDeadLetter, redrivenHeaders } from './dead-letter-record.ts';
import { readProgress, redriveGroup, scan } from './dead-letter-scan.ts';
import type { ScanParts, ScanStart } from './dead-letter-scan.ts';
import type { RedriveProgress } from './redrive-progress.ts';

const BATCH_RECORDS_DEFAULT = 500;
const BATCH_BYTES_MAX = 512 * 1024;
/** In a row, without a transaction committed in between. */
const FAILURES_MAX = 5;

/**
 * Puts dead letters back to the partitions they came from, as they were, with the header `millrace.redrive.count`. Each once, however often it is
 * run and wherever it is killed. It ends at the end that the topic has when it begins: what fails again is not put back again by the same run.
 * @throws MillraceError MILLRACE_TOPIC_MISSING, MILLRACE_INVALID_CONFIG, MILLRACE_REDRIVE_SCATTERED, MILLRACE_PRODUCER_FENCED another redrive of the
 * application began; what was committed by then stands.
 */
export async function redriveDeadLetters(options: RedriveOptions): Promise<RedriveReport> {
  checkOptions(options);
  const { clock = systemClock, logger = silentLogger } = options;
  const client = connect(options.kafka, 'millrace-dlq', { clock, logger });
  try {
    return await new Redrive(client, options).run();
  } catch (error) {
    throw isFencing(error) ? otherRedrive(options.applicationId, error) : error;
  } finally {
    await client.close();
  }
}

class Redrive {
  private readonly options: RedriveOptions;
  private readonly clock: Clock;
  private readonly scanParts: ScanParts;
  /** `null`: nothing is written. */
  private readonly writer: TransactionalWriter | null;
  private readonly counts = new Counts();
  private readonly partitionCounts = new Map<string, number | null>();
  private readonly client: BrokerClient;
  private readonly batchRecords: number;
  private start!: ScanStart;
  /** As it was when the run began. */
  private first: ScanStart | null = null;
  private batch: { readonly progress: RedriveProgress; readonly offset: number; readonly topic: string }[] =
    [];
  private encoders = new Map<string, { topic: string; partition: number; encoder: RecordBatchEncoder }>();
  private readonly startedAt: number;

  constructor(client: BrokerClient, options: RedriveOptions) {
    const { applicationId, topic, signal, rate = Infinity, batchRecords = BATCH_RECORDS_DEFAULT } = options;
    const group = redriveGroup(applicationId);
    this.client = client;
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.startedAt = this.clock.monotonic();
    this.batchRecords = Math.max(1, Math.floor(Math.min(batchRecords, rate)));
    this.scanParts = { client, group, topic, logger: options.logger ?? silentLogger, signal };
    this.writer =
      options.dryRun === true
        ? null
        : client.createTransactionalWriter({
            transactionalId: group,
            ...(options.transactionTimeoutMs === undefined
              ? {}
              : { transactionTimeoutMs: options.transactionTimeoutMs }),
          });
  }

  async run(): Promise<RedriveReport> {
    let failures = 0;
    for (;;) {
      try {
        await this.writer?.initialise();
        await this.readNotes();
        const complete = await scan(this.scanParts, this.start, (columns, index, progress) =>
          this.visit(readDeadLetter(columns, index, progress.partition), progress),
        );
        await this.commit();
        await this.noteEnd();
        return this.counts.report(complete);
      } catch (error) {
        if (!(error instanceof EpochAbortedError)) throw error;
        failures = this.counts.hasCommitted() ? 1 : failures + 1;
        if (failures >= FAILURES_MAX) throw error;
        this.scanParts.logger.warn(
          'A transaction of the redrive was given up; it is looked at what became of it',
          {
            error: error.message,
          },
        );
      } finally {
        this.encoders.clear();
      }
    }
  }

  /** Where the last run came to; of an ambiguous transaction it says what became of it. */
  private async readNotes(): Promise<void> {
    this.start = await readProgress(this.scanParts);
    this.first ??= this.start;
    // What is new since the run began is none of its.
    this.start = { ...this.start, ends: this.first.ends };
    const doubtful = this.batch;
    this.batch = [];
    for (const { progress, offset, topic } of doubtful)
      if (this.start.progress.get(progress.partition)!.isDone(offset)) this.counts.redriven(topic, 1);
    this.counts.restart();
  }

  private visit(letter: DeadLetter, progress: RedriveProgress): boolean | Promise<boolean> {
    const { offset } = letter;
    const { counts, options } = this;
    if (progress.isDone(offset)) {
      if (this.first!.progress.get(progress.partition)!.wasDone(offset)) counts.before++;
      return true;
    }
    if (!matches(letter, options.filter ?? {})) {
      counts.filtered++;
      progress.pending(offset);
      return true;
    }
    const topic = letter.origin?.topic;
    if (topic !== undefined && options.discard !== true && !this.partitionCounts.has(topic))
      return this.lookUp(topic).then(() => this.take(letter, progress));
    return this.take(letter, progress);
  }

  private take(letter: DeadLetter, progress: RedriveProgress): boolean | Promise<boolean> {
    const refusal = this.options.discard === true ? null : this.refusalOf(letter);
    if (refusal !== null) {
      this.counts.refused[refusal]++;
      progress.pending(letter.offset);
      return true;
    }
    progress.done(letter.offset);
    this.batch.push({ progress, offset: letter.offset, topic: letter.origin?.topic ?? '' });
    if (this.writer !== null && this.options.discard !== true) this.encode(letter);
    const { limit = Infinity } = this.options;
    const isLast = this.counts.total + this.batch.length >= limit;
    if (!isLast && this.batch.length < this.batchRecords) return true;
    return this.commit().then(() => !isLast);
  }

  private refusalOf({ origin, redrives }: DeadLetter): RedriveRefusal | null {
    if (origin === null) return 'noOrigin';
    const { topic, partition } = origin;
    if (topic.startsWith('__') || topic === this.options.topic) return 'forbiddenTopic';
    // No record comes from a changelog; what says so would become state.
    if (topic.startsWith(`${this.options.applicationId}-`) && topic.endsWith('-changelog'))
      return 'forbiddenTopic';
    const count = this.partitionCounts.get(topic) ?? null;
    if (count === null) return 'topicGone';
    if (partition >= count) return 'partitionGone';
    return redrives >= (this.options.redrivesMax ?? Infinity) ? 'tooOften' : null;
  }

  private async lookUp(topic: string): Promise<void> {
    const isName = /^[a-zA-Z0-9._-]{1,249}$/.test(topic);
    const found = isName ? (await this.client.admin.describeTopics([topic])).get(topic) : undefined;
    this.partitionCounts.set(topic, found?.partitionCount ?? null);
  }

  private encode(letter: DeadLetter): void {
    const { topic, partition } = letter.origin!;
    const name = `${topic} ${partition}`;
    let output = this.encoders.get(name);
    if (output === undefined) {
      output = { topic, partition, encoder: new RecordBatchEncoder() };
      this.encoders.set(name, output);
    }
    const { encoder } = output;
    if (encoder.size >= BATCH_BYTES_MAX) this.send(output);
    const [key, value] = [letter.key, letter.value];
    encoder.append(
      letter.timestamp,
      key === null ? null : binaryFromBytes(key),
      value === null ? null : binaryFromBytes(value),
      redrivenHeaders(letter),
    );
  }

  private send({
    topic,
    partition,
    encoder,
  }: {
    topic: string;
    partition: number;
    encoder: RecordBatchEncoder;
  }): void {
    const batch = encoder.finish();
    if (batch !== undefined) this.writer!.append(topic, partition, batch);
  }

  private async commit(): Promise<void> {
    if (this.batch.length === 0) return;
    if (this.writer !== null) {
      const touched = new Set(this.batch.map(({ progress }) => progress));
      // Before anything is sent: it may not fit.
      const offsets = this.offsetsOf(touched);
      for (const output of this.encoders.values()) this.send(output);
      await this.writer.commit(offsets, this.group());
    }
    for (const { topic } of this.batch) this.counts.redriven(topic, 1);
    this.batch = [];
    this.options.onProgress?.(this.counts.report(false));
    await this.keepRate();
  }

  /** So that a topic all of whose dead letters were dealt with shows no lag: markers lie behind the last of them. */
  private async noteEnd(): Promise<void> {
    if (this.writer === null) return;
    const moved = [...this.start.progress.values()].filter(
      ({ position, scannedTo, committedTo }) => position === scannedTo && position > committedTo,
    );
    if (moved.length > 0) await this.writer.commit(this.offsetsOf(moved), this.group());
  }

  private offsetsOf(progress: Iterable<RedriveProgress>) {
    return [...progress].map((noted) => ({
      topic: noted.topic,
      partition: noted.partition,
      leaderEpoch: -1,
      ...noted.encode(),
    }));
  }

  /** A client that only commits offsets: no member. Who writes is told apart by the transactional id. */
  private group(): GroupMetadata {
    return { groupId: this.scanParts.group, generationId: -1, memberId: '', groupInstanceId: null };
  }

  private async keepRate(): Promise<void> {
    const { rate } = this.options;
    if (rate === undefined || this.writer === null) return;
    const dueMs = (this.counts.total / rate) * 1_000 - (this.clock.monotonic() - this.startedAt);
    if (dueMs > 0) await sleep(this.clock, dueMs);
  }
}

class Counts {
  filtered = 0;
  before = 0;
  refused: Record<RedriveRefusal, number> = noRefusals();
  total = 0;
  private readonly byTopic = new Map<string, number>();
  private committed = 0;

  redriven(topic: string, records: number): void {
    this.total += records;
    if (topic !== '') this.byTopic.set(topic, (this.byTopic.get(topic) ?? 0) + records);
  }

  /** All that is not done is looked at once more. */
  restart(): void {
    this.filtered = 0;
    this.before = 0;
    this.refused = noRefusals();
  }

  /** Was anything committed since the last question? */
  hasCommitted(): boolean {
    const has = this.total > this.committed;
    this.committed = this.total;
    return has;
  }

  report(complete: boolean): RedriveReport {
    const { total, filtered, before, refused, byTopic } = this;
    return {
      redriven: total,
      filtered,
      before,
      refused: { ...refused },
      byTopic: Object.fromEntries(byTopic),
      complete,
    };
  }
}

function noRefusals(): Record<RedriveRefusal, number> {
  return { noOrigin: 0, topicGone: 0, partitionGone: 0, forbiddenTopic: 0, tooOften: 0 };
}

function checkOptions(options: RedriveOptions): void {
  const faults: string[] = [];
  const { applicationId, topic, limit, rate, batchRecords, redrivesMax } = options;
  if (typeof applicationId !== 'string' || applicationId === '') faults.push('applicationId is missing');
  if (typeof topic !== 'string' || topic === '') faults.push('topic is missing');
  for (const [name, value] of Object.entries({ limit, rate, batchRecords, redrivesMax }))
    if (value !== undefined && !(value > 0)) faults.push(`${name} must be above 0`);
  if (faults.length === 0) return;
  throw new FatalError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `The redrive cannot be done: ${faults.join('; ')}.`,
    remedy: 'Correct the named options.',
    context: { faults },
  });
}

function isFencing(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'MILLRACE_PRODUCER_FENCED';
}

function otherRedrive(applicationId: string, cause: unknown): MillraceError {
  return new FatalError({
    code: 'MILLRACE_PRODUCER_FENCED',
    message: `Another redrive of "${applicationId}" has begun, and this one has ended.`,
    remedy: 'Run one at a time. What this one had committed stands, and the other goes on from there.',
    cause,
    context: { applicationId },
  });
}
