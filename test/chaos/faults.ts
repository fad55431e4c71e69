// Owns which faults there are and a run's schedule of them: a pure function of the seed, the number of faults and of processes.
import type { ApiName } from '../support/proxy.ts';
import { SeededRandom } from '#libs/broker-memory';
import { pick, shuffled, weighted } from './drawing.ts';
import type { ServiceOptions } from './service.ts';

/** Processes are numbered from 0; `process: null` means all of them. Times are in milliseconds. */
export type Fault =
  | { readonly kind: 'kill'; readonly process: number; readonly downMs: number }
  /**
   * A request of its commit is held in the network, then it is killed. `late`: whether, and when, the request reaches the broker after
   * all: once it is started again, or before that, once others have taken its tasks over and gone on.
   */
  | {
      readonly kind: 'kill-in-transaction';
      readonly process: number;
      readonly api: 'EndTxn' | 'TxnOffsetCommit' | 'OffsetCommit';
      /** From the first held request to the kill. */
      readonly holdMs: number;
      readonly downMs: number;
      readonly late: 'never' | 'restarted' | 'taken-over';
    }
  | { readonly kind: 'stop'; readonly process: number; readonly downMs: number }
  | { readonly kind: 'stop-in-restore' | 'kill-in-restore'; readonly process: number }
  /** SIGSTOP for longer than the session, then SIGCONT. */
  | { readonly kind: 'zombie'; readonly process: number; readonly pauseMs: number }
  /** It does not hear that the group has a new generation without it, and works on. */
  | { readonly kind: 'exile'; readonly process: number }
  | { readonly kind: 'pause'; readonly process: number; readonly pauseMs: number }
  | { readonly kind: 'state-deleted'; readonly process: number }
  /** While it is down, the end of one of RocksDB's files is cut off. */
  | { readonly kind: 'state-torn'; readonly process: number; readonly file: 'table' | 'log' | 'manifest' }
  /** A second process under the same transactional id, with a state folder of its own. */
  | { readonly kind: 'twin'; readonly process: number; readonly stayMs: number }
  | { readonly kind: 'join'; readonly stayMs: number; readonly leave: 'SIGTERM' | 'SIGKILL' }
  | { readonly kind: 'rolling-restart' }
  | { readonly kind: 'kill-all'; readonly downMs: number }
  | {
      readonly kind: 'frames';
      readonly api: ApiName;
      readonly on: 'request' | 'answer';
      readonly action: 'drop' | 'cut' | 'hold' | 'delay';
      /** How long a held or delayed frame waits. */
      readonly ms: number;
      readonly process: number | null;
      readonly skip: number;
      readonly times: number;
    }
  /** The markers that end transactions do not reach the logs; a process leaves meanwhile. */
  | {
      readonly kind: 'markers-held';
      readonly process: number;
      readonly ms: number;
      readonly leave: 'SIGTERM' | 'SIGKILL';
    }
  | {
      readonly kind: 'sever';
      readonly process: number | null;
      /** `refuse`: connections are reset. `hold`: frames come late. `drop`: frames are lost. */
      readonly mode: 'refuse' | 'hold' | 'drop';
      readonly ms: number;
    }
  | { readonly kind: 'broker-kill' | 'broker-restart'; readonly downMs: number };

export type FaultKind = Fault['kind'];

export interface ScheduledFault {
  readonly fault: Fault;
  /** Whether the run waits until every process is running again before the next. */
  readonly recover: boolean;
}

/** How often each is drawn. */
const WEIGHTS: readonly (readonly [FaultKind, number])[] = [
  ['kill', 10],
  ['kill-in-transaction', 10],
  ['stop', 6],
  ['stop-in-restore', 3],
  ['kill-in-restore', 4],
  ['zombie', 6],
  ['exile', 3],
  ['pause', 3],
  ['state-deleted', 3],
  ['state-torn', 4],
  ['twin', 2],
  ['join', 4],
  ['rolling-restart', 2],
  ['kill-all', 3],
  ['frames', 30],
  ['markers-held', 4],
  ['sever', 7],
  ['broker-kill', 5],
  ['broker-restart', 2],
];

export const FAULT_KINDS: readonly FaultKind[] = WEIGHTS.map(([kind]) => kind);

export type GroupProtocol = 'classic' | 'streams';

/** Options of the application that a run is as good with as without. Under `streams` standby copies are the group's to ask for. */
export function drawApplication(
  seed: number,
  protocol: GroupProtocol,
): Partial<ServiceOptions['application']> {
  const random = new SeededRandom(seed ^ 0xa991);
  const commitIntervalMs = pick(random, [20, 100]);
  const transactionTimeoutMs = pick(random, [10_000, 60_000]);
  const numStandbys = pick(random, [0, 1]);
  const acceptableRecoveryLag = pick(random, [100, 10_000]);
  return {
    commitIntervalMs,
    transactionTimeoutMs,
    ...(protocol === 'streams' ? { groupProtocol: protocol } : { numStandbys, acceptableRecoveryLag }),
  };
}

/** Whose requests are dropped, cut off, held and delayed. */
const APIS: readonly (readonly [ApiName, number])[] = [
  ['Produce', 5],
  ['TxnOffsetCommit', 5],
  ['EndTxn', 6],
  ['InitProducerId', 3],
  ['JoinGroup', 3],
  ['SyncGroup', 3],
  ['Heartbeat', 2],
  ['Fetch', 3],
  ['OffsetFetch', 3],
];

/** Of the faults that are drawn so often that a run without them would be a poor one, each once before chance decides. */
const FIRST: readonly FaultKind[] = FAULT_KINDS;

export function drawSchedule(seed: number, count: number, processes: number): ScheduledFault[] {
  const random = new SeededRandom(seed);
  const first = shuffled(random, FIRST);
  const apis = shuffled(
    random,
    APIS.map(([api]) => api),
  );
  const schedule: ScheduledFault[] = [];
  for (let at = 0; at < count; at++) {
    // Half of the faults come from the list of all, so that a run of twice as many has met each.
    const listed = at % 2 === 0 ? first.shift() : undefined;
    const kind = listed ?? weighted(random, WEIGHTS);
    schedule.push({ fault: drawFault(random, kind, processes, apis), recover: random.chance(0.7) });
  }
  return schedule;
}

function drawFault(random: SeededRandom, kind: FaultKind, processes: number, apis: ApiName[]): Fault {
  const process = random.integer(0, processes - 1);
  const downMs = pick(random, [0, 0, 500, 2_000]);
  switch (kind) {
    case 'kill':
    case 'stop':
      return { kind, process, downMs };
    case 'kill-in-transaction':
      return {
        kind,
        process,
        api: pick(random, ['EndTxn', 'EndTxn', 'TxnOffsetCommit']),
        holdMs: pick(random, [0, 0, 300]),
        downMs,
        late: pick(random, ['never', 'restarted', 'taken-over']),
      };
    case 'exile':
    case 'stop-in-restore':
    case 'kill-in-restore':
    case 'state-deleted':
      return { kind, process };
    case 'zombie':
      return { kind, process, pauseMs: random.integer(5_000, 8_999) };
    case 'pause':
      return { kind, process, pauseMs: random.integer(200, 2_999) };
    case 'state-torn':
      return { kind, process, file: pick(random, ['table', 'log', 'manifest']) };
    case 'twin':
      return { kind, process, stayMs: random.integer(3_000, 6_999) };
    case 'join':
      return {
        kind,
        stayMs: random.integer(2_000, 7_999),
        leave: pick(random, ['SIGTERM', 'SIGKILL']),
      };
    case 'rolling-restart':
      return { kind };
    case 'kill-all':
      return { kind, downMs };
    case 'frames':
      return {
        kind,
        api: apis.shift() ?? weighted(random, APIS),
        on: pick(random, ['request', 'answer', 'answer']),
        action: pick(random, ['drop', 'cut', 'hold', 'delay']),
        ms: random.integer(300, 5_999),
        process: random.chance(0.7) ? process : null,
        skip: random.integer(0, 3),
        times: random.integer(1, 3),
      };
    case 'markers-held':
      return {
        kind,
        process,
        ms: random.integer(2_000, 5_999),
        leave: pick(random, ['SIGTERM', 'SIGKILL']),
      };
    case 'sever':
      return {
        kind,
        process: random.chance(0.7) ? process : null,
        mode: pick(random, ['refuse', 'hold', 'drop']),
        ms: random.integer(1_000, 7_999),
      };
    case 'broker-kill':
    case 'broker-restart':
      return { kind, downMs: pick(random, [0, 1_000, 4_000]) };
  }
}

/** A fault in words, as the progress shows it. */
export function describeFault(fault: Fault): string {
  const { kind, ...rest } = fault;
  const words = Object.entries(rest).map(([name, value]) =>
    name === 'process'
      ? value === null
        ? 'all processes'
        : `p${String(value)}`
      : `${name} ${String(value)}`,
  );
  return [kind, ...words].join(', ');
}
