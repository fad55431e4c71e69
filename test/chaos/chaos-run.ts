// Owns the course of a run: start, feed and injure at once, heal, wait until all is committed, stop, judge. It decides nothing by chance
// that the seed has not decided.
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { consumeWithJavaConsole } from '#libs/broker-local';
import type { ConsoleRecord } from '#libs/broker-local';
import { SeededRandom } from '#libs/broker-memory';
import { Cluster } from './cluster.ts';
import { describeFault } from './faults.ts';
import type { ScheduledFault } from './faults.ts';
import { InputPlan } from './input-plan.ts';
import { inject, stop } from './inject.ts';
import { judgeOutput, Violations } from './judge-output.ts';
import type { Output, Violation } from './judge-output.ts';
import { judgeState } from './judge-state.ts';
import { lostMarkers } from './lost-markers.ts';
import { modelOf } from './model.ts';
import type { Model } from './model.ts';
import type { Ends, PartitionEnds, RawRecord } from './peer.ts';
import type { Sabotage } from './sabotage/sabotages.ts';
import type { ServiceOptions } from './service.ts';
import { APPLICATION_ID, CHANGELOG_SUFFIX, GROUP_TIMES, REPARTITION, TASKS, TOPICS } from './vocabulary.ts';
import type { OutputTopic } from './vocabulary.ts';

export interface RunSettings {
  readonly seed: number;
  readonly records: number;
  readonly workers: number;
  readonly schedule: readonly ScheduledFault[];
  readonly sabotage: Sabotage | null;
  /** Beyond the run's own. */
  readonly application: Partial<ServiceOptions['application']>;
  /** Without any offset committed for so long, though there is work, the application is stuck. */
  readonly stuckAfterMs: number;
}

export interface FaultReport {
  readonly atMs: number;
  readonly fault: string;
  readonly outcome: string;
}

export interface RunResult {
  readonly faults: readonly FaultReport[];
  readonly records: number;
  readonly violations: readonly Violation[];
  readonly violationCount: number;
  readonly tookMs: number;
  /** Logs, state and topics as files, for whoever looks into a violation. */
  readonly folder: string;
  readonly judged: Readonly<Record<string, number>>;
}

/** How long the processes may take to be running again before the run goes on regardless. */
const RECOVERY_MS = 20_000;
/** Small ones, so that there are records on their way all the time that a fault takes. What is left in the end goes without pauses. */
const FEED_PAUSE_MS = 200;
const CHUNKS_PER_FAULT = 40;
const OUTPUTS: readonly OutputTopic[] = ['echo', 'stats', 'joined', 'windows', 'timers'];
const STORES = ['stats', 'prices', 'windows', 'quiet-sum', 'quiet-timers'];

export async function runChaos(
  settings: RunSettings,
  onProgress: (line: string) => void,
): Promise<RunResult> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'));
  const run = new ChaosRun(settings, folder, onProgress);
  return run.run();
}

class ChaosRun {
  readonly #settings: RunSettings;
  readonly #folder: string;
  readonly #onProgress: (line: string) => void;
  readonly #startedAt = performance.now();
  readonly #violations = new Violations();
  readonly #faults: FaultReport[] = [];
  readonly #plan: InputPlan;
  readonly #names: readonly string[];
  #unaskedSeen = 0;
  #redone = 0;

  constructor(settings: RunSettings, folder: string, onProgress: (line: string) => void) {
    this.#settings = settings;
    this.#folder = folder;
    this.#onProgress = onProgress;
    // Another stream of chance than the schedule's: more records must not mean other faults.
    this.#plan = new InputPlan(new SeededRandom(settings.seed ^ 0x5eed));
    this.#names = Array.from({ length: settings.workers }, (_, index) => `p${index}`);
  }

  async run(): Promise<RunResult> {
    const { sabotage, application } = this.#settings;
    this.#say('starting a broker');
    const cluster = await Cluster.start({
      folder: this.#folder,
      sabotage: sabotage?.guarantee ?? null,
      application: { commitIntervalMs: 100, ...GROUP_TIMES, ...application },
    });
    let judged: Readonly<Record<string, number>> = {};
    try {
      await cluster.peer.write(this.#plan.tableRows());
      for (const name of this.#names) cluster.startProcess(name);
      await this.#recovered(cluster, 60_000);
      await this.#injure(cluster);
      if (await this.#quiesce(cluster)) {
        await this.#stopAll(cluster);
        judged = await this.#judge(cluster);
      }
      this.#checkBroker(cluster);
    } finally {
      await cluster.close();
    }
    const violationCount = this.#violations.count;
    if (violationCount === 0) rmSync(this.#folder, { recursive: true, force: true });
    return {
      faults: this.#faults,
      records: this.#plan.recordCount,
      violations: this.#violations.all(),
      violationCount,
      tookMs: performance.now() - this.#startedAt,
      folder: this.#folder,
      judged,
    };
  }

  /** Faults one after the other; the input goes on meanwhile, at the pace of the schedule. */
  async #injure(cluster: Cluster): Promise<void> {
    const { schedule, records } = this.#settings;
    const chunk = Math.max(20, Math.ceil(records / Math.max(1, schedule.length) / CHUNKS_PER_FAULT));
    let allowed = schedule.length === 0 ? records : 0;
    let isOver = false;
    const feeding = (async (): Promise<void> => {
      while (this.#plan.recordCount < records) {
        const due = Math.min(allowed, records) - this.#plan.recordCount;
        if (due > 0) {
          const { redone } = await cluster.peer.write(
            this.#plan.chunk(Math.min(due, isOver ? 10 * chunk : chunk)),
          );
          this.#redone = redone;
        }
        if (!isOver || due <= 0) await delay(FEED_PAUSE_MS);
      }
    })();
    // Told where it is waited for; until then it must not end the process.
    feeding.catch(() => undefined);
    for (const [index, { fault, recover }] of schedule.entries()) {
      allowed = Math.ceil((records * (index + 1)) / schedule.length);
      const atMs = Math.round(performance.now() - this.#startedAt);
      this.#say(`fault ${index + 1} of ${schedule.length}: ${describeFault(fault)}`);
      const { outcome, violation } = await inject(cluster, fault);
      if (violation !== null) this.#violations.add('stop', describeFault(fault), violation);
      this.#faults.push({ atMs, fault: describeFault(fault), outcome });
      this.#minded(cluster);
      if (recover) await this.#recovered(cluster, RECOVERY_MS);
      this.#say(`  ${outcome}; ${this.#plan.recordCount} records fed; ${this.#states(cluster)}`);
    }
    allowed = records;
    isOver = true;
    await feeding;
  }

  /** Processes that ended by themselves are told, and started again as a supervisor would. */
  #minded(cluster: Cluster): void {
    for (const { process, end, report } of cluster.unaskedEnds.slice(this.#unaskedSeen)) {
      this.#violations.add(
        'process-ended',
        process,
        `it ended by itself with ${end}, state ${report.state}, error ${report.error ?? 'none'}; see ${cluster.logFile(process)}`,
      );
    }
    this.#unaskedSeen = cluster.unaskedEnds.length;
    for (const name of cluster.restartMissing(this.#names)) this.#say(`  ${name} was started again`);
  }

  /** Every task runs somewhere, and every process says that it has nothing to wait for. */
  async #recovered(cluster: Cluster, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      const processes = [...cluster.processes.values()];
      const tasks = new Set(processes.flatMap(({ report }) => report.running));
      if (tasks.size === TASKS && processes.every(({ report }) => report.state === 'RUNNING')) return;
      await delay(100);
    }
  }

  #states(cluster: Cluster): string {
    return [...cluster.processes.values()]
      .map(({ name, report, over }) =>
        over !== null ? `${name} ended` : `${name} ${report.state} ${report.running.length}`,
      )
      .join(', ');
  }

  /** All input is committed. False: the application is stuck. */
  async #quiesce(cluster: Cluster): Promise<boolean> {
    this.#say('healed; waiting until all is committed');
    const topics = [TOPICS.events, TOPICS.prices, TOPICS.ticks, REPARTITION];
    let committed = -1;
    let since = performance.now();
    let calm = 0;
    let told = 0;
    for (;;) {
      this.#minded(cluster);
      const lag = await cluster.peer.lag(APPLICATION_ID, topics);
      const now = performance.now();
      if (lag.committed > committed) {
        committed = lag.committed;
        since = now;
      }
      // More than once: what is committed of a repartition topic may just have been written.
      calm = lag.lag === 0 && (await this.#isSettled(cluster)) ? calm + 1 : 0;
      if (calm === 3) return true;
      if (now - since > this.#settings.stuckAfterMs) {
        this.#violations.add(
          'stuck',
          'the application',
          `nothing was committed for ${Math.round(now - since)} ms, ${lag.lag} offsets are left: ${JSON.stringify(lag.behind)}; ${this.#states(cluster)}`,
        );
        await this.#judgeEnds(cluster);
        return false;
      }
      if (now - told > 3_000) {
        told = now;
        this.#say(`  ${lag.lag} offsets left; ${this.#states(cluster)}`);
      }
      await delay(300);
    }
  }

  /** Nothing is under way: behind the marker of a transaction that takes its time lies work that no lag tells of yet. */
  async #isSettled(cluster: Cluster): Promise<boolean> {
    const { hanging, transactions } = await this.#unsettled(cluster);
    return hanging.length === 0 && transactions.length === 0;
  }

  async #unsettled({ peer }: Cluster): Promise<{
    readonly hanging: readonly PartitionEnds[];
    readonly transactions: Ends['transactions'];
  }> {
    const { partitions, transactions } = await peer.ends();
    return { hanging: partitions.filter(({ stable, end }) => stable !== end), transactions };
  }

  async #stopAll(cluster: Cluster): Promise<void> {
    this.#say('stopping all processes');
    const failures = await Promise.all([...cluster.processes.keys()].map((name) => stop(cluster, name)));
    for (const failure of failures) if (failure !== null) this.#violations.add('stop', 'the end', failure);
  }

  async #judge(cluster: Cluster): Promise<Readonly<Record<string, number>>> {
    this.#say('reading what was written');
    const { peer } = cluster;
    await this.#judgeEnds(cluster);
    const input = await peer.read(join(this.#folder, 'input.txt'), [
      TOPICS.events,
      TOPICS.prices,
      TOPICS.ticks,
    ]);
    const model = modelOf(input);
    this.#checkInput(model, input);
    const raw = await peer.read(
      join(this.#folder, 'output.txt'),
      OUTPUTS.map((name) => TOPICS[name]),
    );
    const output = await this.#readOutput(cluster, raw);
    this.#say('judging');
    judgeOutput(output, model, this.#violations);
    const changelogs = await peer.read(
      join(this.#folder, 'changelogs.txt'),
      STORES.map((store) => `${APPLICATION_ID}-${store}${CHANGELOG_SUFFIX}`),
    );
    const { copies } = await judgeState(
      [...cluster.names].map((name) => cluster.stateRoot(name)),
      changelogs,
      model,
      this.#violations,
    );
    return {
      input: input.length,
      output: raw.length,
      changelogs: changelogs.length,
      copiesOfState: copies,
      upstreamTransactionsWrittenAgain: this.#redone,
    };
  }

  /** The last transactions' markers may still be on their way as the processes end. */
  async #judgeEnds(cluster: Cluster): Promise<void> {
    const deadline = performance.now() + 10_000;
    for (;;) {
      const { hanging, transactions } = await this.#unsettled(cluster);
      if (hanging.length === 0 && transactions.length === 0) return;
      if (performance.now() > deadline) {
        for (const { topic, partition, stable, end } of hanging) {
          this.#violations.add(
            'hanging',
            topic,
            `partition ${partition} is stable up to ${stable}, its end is ${end}`,
          );
        }
        for (const { id, state } of transactions) {
          this.#violations.add('hanging', 'the transaction coordinator', `${id} is ${state}`);
        }
        return;
      }
      await delay(200);
    }
  }

  /** The producer's own exactly-once is not what is judged here. */
  #checkInput(model: Model, input: readonly RawRecord[]): void {
    const planned = this.#plan.recordCount;
    const counts = new Map<string, number>();
    for (const { topic, value } of input) {
      if (topic === TOPICS.prices) continue;
      const { id } = JSON.parse(value!) as { readonly id: string };
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    const odd: string[] = [];
    for (let n = 0; n < planned; n++) {
      const count = counts.get(`r${n}`) ?? 0;
      if (count !== 1) odd.push(`r${n} ${count} times`);
    }
    if (odd.length === 0 && model.records === planned) return;
    throw new Error(
      `the input is not what was planned, so the run says nothing: ${planned} ids, ${model.records} records with one; ${odd.slice(0, 10).join(', ')}`,
    );
  }

  /** Nor is the broker's. */
  #checkBroker({ broker: { logFile } }: Cluster): void {
    const found = this.#violations.count;
    if (found === 0 || logFile === undefined) return;
    const kept = join(this.#folder, 'broker.log');
    copyFileSync(logFile, kept);
    const lost = lostMarkers(readFileSync(kept, 'utf8'));
    if (lost.length === 0) return;
    const whose = lost.map(
      ({ transactionalId, partitions }) => `${transactionalId} in ${partitions.join(', ')}`,
    );
    throw new Error(
      `Kafka took transactions for complete without writing their markers (${whose.join('; ')}; see ${kept}), so the run says nothing: ` +
        `${found} violation(s) may be of that. The first: ${this.#violations.all()[0]!.what}`,
    );
  }

  /** By Kafka's console consumer, topic by topic, each to the end that Kafka's plain consumer had found. */
  async #readOutput(cluster: Cluster, raw: readonly RawRecord[]): Promise<Output> {
    const output: Partial<Record<OutputTopic, readonly ConsoleRecord[]>> = {};
    const readOne = async (name: OutputTopic): Promise<void> => {
      const topic = TOPICS[name];
      const count = raw.filter((record) => record.topic === topic).length;
      const records =
        count === 0
          ? []
          : await consumeWithJavaConsole(cluster.broker, topic, { maxMessages: count, timeoutMs: 30_000 });
      if (records.length !== count) {
        throw new Error(`the console consumer read ${records.length} of ${count} records of ${topic}`);
      }
      // Its order of partitions is its own; that within one is the log's.
      output[name] = records;
    };
    const waiting = [...OUTPUTS];
    const lane = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await readOne(name);
    };
    await Promise.all([lane(), lane()]);
    return output as Output;
  }

  #say(line: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1_000).toFixed(1).padStart(6);
    this.#onProgress(`[${seconds} s] ${line}`);
  }
}
