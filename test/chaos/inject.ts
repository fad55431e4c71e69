// Owns how each fault is brought about. Each leaves the network healed and the processes started again, though not recovered.
import { existsSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault as ProxyFault } from '../support/proxy.ts';
import type { Cluster } from './cluster.ts';
import type { Fault } from './faults.ts';
import type { ServiceProcess } from './service-process.ts';
import { APPLICATION_ID, GROUP_TIMES, TASKS } from './vocabulary.ts';

/** How long a clean stop may take: three times the session, and the requests that time out. */
const STOP_MS = 60_000;
/** How long a held frame may keep a fault from coming about: then it passes for one that found nothing to do. */
const FRAME_MS = 6_000;

export interface Injection {
  /** What happened, in words. */
  readonly outcome: string;
  /** What should not have: a process that does not stop. */
  readonly violation: string | null;
}

const fine = (outcome: string): Injection => ({ outcome, violation: null });

const TAKE_OVER_MS = 15_000;

export async function inject(cluster: Cluster, fault: Fault): Promise<Injection> {
  switch (fault.kind) {
    case 'kill':
      await killed(cluster, name(fault.process), fault.downMs);
      return fine('killed and started');
    case 'kill-all':
      return killAll(cluster, fault.downMs);
    case 'kill-in-transaction':
      return killInTransaction(cluster, fault);
    case 'stop':
      return stopped(cluster, name(fault.process), fault.downMs);
    case 'stop-in-restore':
    case 'kill-in-restore':
      return endInRestore(cluster, fault);
    case 'exile':
      return exile(cluster, name(fault.process));
    case 'zombie':
    case 'pause':
      return paused(cluster, name(fault.process), fault.pauseMs);
    case 'state-deleted':
      await killed(cluster, name(fault.process), 0, () => cluster.deleteState(name(fault.process)));
      return fine('killed, its state deleted, started');
    case 'state-torn': {
      let torn = 'nothing to tear';
      await killed(cluster, name(fault.process), 0, () => {
        torn = tear(cluster, name(fault.process), fault.file);
      });
      return fine(torn);
    }
    case 'twin':
      return twin(cluster, fault);
    case 'join':
      return join_(cluster, fault);
    case 'rolling-restart':
      return rollingRestart(cluster);
    case 'frames':
      return frames(cluster, fault);
    case 'markers-held':
      return markersHeld(cluster, fault);
    case 'sever':
      return sever(cluster, fault);
    case 'broker-kill':
    case 'broker-restart':
      await cluster.broker.restart({
        stop: fault.kind === 'broker-kill' ? 'crash' : 'clean',
        downMs: fault.downMs,
      });
      return fine('the broker is back');
  }
}

const name = (process: number): string => `p${process}`;

async function killed(
  cluster: Cluster,
  process: string,
  downMs: number,
  meanwhile: () => void = () => undefined,
): Promise<void> {
  await cluster.processes.get(process)?.kill();
  meanwhile();
  await delay(downMs);
  cluster.startProcess(process);
}

async function killAll(cluster: Cluster, downMs: number): Promise<Injection> {
  const names = [...cluster.processes.keys()];
  await Promise.all(names.map((process) => cluster.processes.get(process)!.kill()));
  await delay(downMs);
  for (const process of names) cluster.startProcess(process);
  return fine(`${names.length} killed at once and started`);
}

async function killInTransaction(
  cluster: Cluster,
  fault: Extract<Fault, { kind: 'kill-in-transaction' }>,
): Promise<Injection> {
  const process = name(fault.process);
  const held = cluster.proxy.fault({
    api: fault.api,
    on: 'request',
    action: 'hold',
    times: Infinity,
    ...cluster.ofProcess(process),
  });
  const hit = await within(held, FRAME_MS);
  await delay(fault.holdMs);
  await cluster.processes.get(process)?.kill();
  held.remove();
  if (fault.late === 'never') {
    // Its connection is gone, and the frame with it.
    cluster.proxy.cutConnections(process);
    held.release();
  }
  if (fault.late === 'taken-over') {
    const others = [...cluster.processes.values()].filter((other) => other.name !== process);
    await tasksRun(others, TAKE_OVER_MS);
    // Time to go on from what it took over, and to commit it.
    await delay(1_000);
    held.release();
  }
  await delay(fault.downMs);
  const started = cluster.startProcess(process);
  if (fault.late === 'restarted') {
    await started.until((report) => report.running.length > 0, 15_000);
    held.release();
  }
  return fine(
    hit
      ? `killed with ${held.hits} ${fault.api} on the way`
      : `killed, though no ${fault.api} was on the way`,
  );
}

/** Whether all tasks run in the processes, within the time. */
async function tasksRun(processes: readonly ServiceProcess[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const tasks = new Set(processes.flatMap(({ report }) => report.running));
    if (tasks.size === TASKS) return true;
    await delay(100);
  }
  return false;
}

/** Its wish to join again is held, so that the others go on without it; then its heartbeats, so that nobody tells it. */
async function exile(cluster: Cluster, process: string): Promise<Injection> {
  const hold = (api: 'JoinGroup' | 'Heartbeat'): ProxyFault =>
    cluster.proxy.fault({
      api,
      on: 'request',
      action: 'hold',
      times: Infinity,
      ...cluster.ofProcess(process),
    });
  const joins = hold('JoinGroup');
  const extra = cluster.startProcess(`extra${joined++}`);
  const hit = await within(joins, 15_000);
  await delay(GROUP_TIMES.rebalanceTimeoutMs - 300);
  const beats = hold('Heartbeat');
  await delay(GROUP_TIMES.sessionTimeoutMs + 1_000);
  for (const rule of [joins, beats]) {
    rule.remove();
    rule.release();
  }
  await extra.kill();
  cluster.processes.delete(extra.name);
  return fine(hit ? 'left out of a generation' : 'never asked to join');
}

async function stopped(cluster: Cluster, process: string, downMs: number): Promise<Injection> {
  const violation = await stop(cluster, process);
  await delay(downMs);
  cluster.startProcess(process);
  return { outcome: 'stopped and started', violation };
}

/** A clean stop ends with 0, and in time. */
export async function stop(cluster: Cluster, process: string): Promise<string | null> {
  const running = cluster.processes.get(process);
  if (running === undefined || running.over !== null) return null;
  const end = await running.stop(STOP_MS);
  if (end === 0) return null;
  // Node itself ends a process that is told to before its code has come to listen.
  if (end === 'SIGTERM' && running.report.state === 'CREATED') return null;
  if (end === null) await running.kill();
  return end === null
    ? `${process} had not stopped ${STOP_MS} ms after SIGTERM`
    : `${process} ended with ${end} (${running.report.error ?? 'no error'}) after SIGTERM`;
}

async function endInRestore(
  cluster: Cluster,
  fault: Extract<Fault, { kind: 'stop-in-restore' | 'kill-in-restore' }>,
): Promise<Injection> {
  const process = name(fault.process);
  await killed(cluster, process, 0, () => cluster.deleteState(process));
  const restoring = await cluster.processes
    .get(process)!
    .until((report) => report.opening.length > 0 || report.running.length > 0, 20_000);
  let violation: string | null = null;
  if (fault.kind === 'stop-in-restore') violation = await stop(cluster, process);
  else await cluster.processes.get(process)!.kill();
  cluster.startProcess(process);
  return { outcome: restoring ? 'ended as it restored' : 'ended before it could restore', violation };
}

async function paused(cluster: Cluster, process: string, pauseMs: number): Promise<Injection> {
  const running = cluster.processes.get(process);
  running?.signal('SIGSTOP');
  await delay(pauseMs);
  running?.signal('SIGCONT');
  return fine('stopped and woken');
}

function tear(cluster: Cluster, process: string, kind: 'table' | 'log' | 'manifest'): string {
  const root = join(cluster.stateRoot(process), APPLICATION_ID);
  if (!existsSync(root)) return 'no state to tear';
  const pattern = { table: /\.sst$/, log: /\.log$/, manifest: /^MANIFEST-/ }[kind];
  for (const task of readdirSync(root).sort()) {
    const folder = join(root, task);
    if (!/^\d+_\d+$/.test(task)) continue;
    const found = readdirSync(folder).find(
      (file) => pattern.test(file) && statSync(join(folder, file)).size > 0,
    );
    if (found === undefined) continue;
    const file = join(folder, found);
    const { size } = statSync(file);
    truncateSync(file, Math.floor(size * 0.6));
    return `${task}/${found} was cut from ${size} bytes`;
  }
  return `no ${kind} to tear`;
}

/** One of the two has to give way; which one is not said beforehand. */
async function twin(
  cluster: Cluster,
  { process, stayMs }: Extract<Fault, { kind: 'twin' }>,
): Promise<Injection> {
  const [first, second] = [name(process), `${name(process)}+twin`];
  const original = cluster.processes.get(first);
  const other = cluster.startProcess(second);
  // Whichever of them ends by itself does what it should.
  other.asked = true;
  if (original !== undefined) original.asked = true;
  await delay(stayMs);
  const [endOfFirst = '', endOfSecond = ''] = [original, other].map((one) =>
    one?.over === null ? 'lives' : (one?.report.error ?? 'ended'),
  );
  await other.kill();
  cluster.processes.delete(second);
  if (original?.over === null) original.asked = false;
  else cluster.startProcess(first);
  return fine(`the first ${endOfFirst}, the second ${endOfSecond}`);
}

let joined = 0;

async function join_(
  cluster: Cluster,
  { stayMs, leave }: Extract<Fault, { kind: 'join' }>,
): Promise<Injection> {
  const process = `extra${joined++}`;
  const added = cluster.startProcess(process);
  const took = await added.until((report) => report.running.length > 0, 15_000);
  await delay(stayMs);
  let violation: string | null = null;
  if (leave === 'SIGTERM') violation = await stop(cluster, process);
  else await added.kill();
  cluster.processes.delete(process);
  return { outcome: took ? 'joined, took tasks, left' : 'joined and left without a task', violation };
}

async function rollingRestart(cluster: Cluster): Promise<Injection> {
  const violations: string[] = [];
  for (const process of [...cluster.processes.keys()]) {
    const { violation } = await stopped(cluster, process, 0);
    if (violation !== null) violations.push(violation);
    await cluster.processes.get(process)!.until((report) => report.state === 'RUNNING', 20_000);
  }
  return {
    outcome: 'each restarted in turn',
    violation: violations.length === 0 ? null : violations.join('; '),
  };
}

async function frames(
  cluster: Cluster,
  { api, on, action, ms, process, skip, times }: Extract<Fault, { kind: 'frames' }>,
): Promise<Injection> {
  const fault = cluster.proxy.fault({
    api,
    on,
    action: action === 'delay' ? ms : action,
    skip,
    times,
    ...cluster.ofProcess(process === null ? null : name(process)),
  });
  // Groups are quiet unless something moves them; only then are there frames to meet.
  const moves =
    api === 'JoinGroup' || api === 'SyncGroup' || api === 'OffsetFetch' || api === 'InitProducerId';
  if (moves) await killed(cluster, name(process ?? 0), 0);
  const hit = await within(fault, FRAME_MS);
  if (hit && action === 'hold') await delay(ms);
  if (hit && action === 'delay') await delay(Math.min(ms, 2_000));
  fault.remove();
  fault.release();
  return fine(hit ? `${fault.hits} frame(s)` : 'no such frame came');
}

async function markersHeld(
  cluster: Cluster,
  { process, ms, leave }: Extract<Fault, { kind: 'markers-held' }>,
): Promise<Injection> {
  const held = cluster.proxy.fault({
    on: 'request',
    action: 'hold',
    times: Infinity,
    ...cluster.ofMarkers,
  });
  await within(held, FRAME_MS);
  let violation: Promise<string | null> = Promise.resolve(null);
  if (leave === 'SIGTERM') violation = stop(cluster, name(process));
  else await cluster.processes.get(name(process))?.kill();
  await delay(ms);
  held.remove();
  held.release();
  const failed = await violation;
  cluster.startProcess(name(process));
  return { outcome: `${held.hits} request(s) of markers held`, violation: failed };
}

async function sever(
  cluster: Cluster,
  { process, mode, ms }: Extract<Fault, { kind: 'sever' }>,
): Promise<Injection> {
  const whose = cluster.ofProcess(process === null ? null : name(process));
  const action = mode === 'refuse' ? 'cut' : mode;
  const rules = (['request', 'answer'] as const).map((on) =>
    cluster.proxy.fault({ on, action, times: Infinity, ...whose }),
  );
  await delay(ms);
  for (const rule of rules) rule.remove();
  for (const rule of rules) rule.release();
  return fine(`${rules.reduce((sum, { hits }) => sum + hits, 0)} frame(s)`);
}

/** Whether the rule met a frame in time. */
async function within(fault: ProxyFault, timeoutMs: number): Promise<boolean> {
  await Promise.race([fault.hit(), delay(timeoutMs)]);
  return fault.hits > 0;
}
