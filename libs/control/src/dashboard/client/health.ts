// Owns what figures mean: how far behind is behind, what stands still, what a state is called and how serious it is. Pure. A level is
// always shown with a sign and a word, never by its colour alone.
import type { Snapshot, TaskPhase } from './wire.ts';

export type Level = 'idle' | 'ok' | 'busy' | 'behind' | 'stalled';

export const LEVEL_WORDS: Readonly<Record<Level, string>> = {
  idle: 'idle',
  ok: 'keeps up',
  busy: 'catching up',
  behind: 'behind',
  stalled: 'stands still',
};

export const LEVEL_SIGNS: Readonly<Record<Level, string>> = {
  idle: '○',
  ok: '●',
  busy: '◐',
  behind: '▲',
  stalled: '■',
};

export interface Load {
  readonly recordsPerSecond: number | null;
  readonly lag: number | null;
  readonly lagMs: number | null;
}

/** A lag that is gone within this time at the present rate is the normal work of a batch. */
const CAUGHT_UP_WITHIN_S = 1;
const BEHIND_WITHIN_S = 10;
/** A lag of one or two offsets may be markers of transactions. */
const LAG_MIN = 10;

export function levelOf({ recordsPerSecond, lag }: Load): Level {
  const perSecond = recordsPerSecond ?? 0;
  if (lag === null || lag < LAG_MIN) return perSecond > 0 ? 'ok' : 'idle';
  if (perSecond === 0) return recordsPerSecond === null ? 'busy' : 'stalled';
  const seconds = lag / perSecond;
  if (seconds <= CAUGHT_UP_WITHIN_S) return 'ok';
  return seconds <= BEHIND_WITHIN_S ? 'busy' : 'behind';
}

/** The worst first. */
export function worst(levels: readonly Level[]): Level {
  for (const level of ['stalled', 'behind', 'busy', 'ok'] as const) if (levels.includes(level)) return level;
  return 'idle';
}

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'calm';

export interface Badge {
  readonly tone: Tone;
  readonly sign: string;
  readonly word: string;
}

export function stateBadge({ state, paused }: Pick<Snapshot, 'state' | 'paused'>): Badge {
  if (state === 'RUNNING' && paused) return { tone: 'warn', sign: '❚❚', word: 'PAUSED' };
  switch (state) {
    case 'RUNNING':
      return { tone: 'good', sign: '●', word: state };
    case 'CREATED':
      return { tone: 'calm', sign: '○', word: state };
    case 'REBALANCING':
      return { tone: 'busy', sign: '◐', word: state };
    case 'PENDING_SHUTDOWN':
      return { tone: 'warn', sign: '◑', word: state };
    case 'NOT_RUNNING':
      return { tone: 'calm', sign: '■', word: state };
    default:
      return { tone: 'bad', sign: '✕', word: state };
  }
}

export function phaseBadge(phase: TaskPhase): Badge {
  switch (phase) {
    case 'running':
      return { tone: 'good', sign: '●', word: phase };
    case 'waiting':
      return { tone: 'busy', sign: '◔', word: phase };
    case 'opening':
    case 'claiming':
      return { tone: 'busy', sign: '◐', word: phase };
    case 'restoring':
      return { tone: 'warn', sign: '↻', word: phase };
    case 'standby':
      return { tone: 'calm', sign: '◎', word: phase };
    case 'warmup':
      return { tone: 'busy', sign: '◌', word: 'warming up' };
  }
}

/** What a task is here for. */
export function roleOf(phase: TaskPhase): 'active' | 'standby' | 'warm-up' {
  return phase === 'standby' ? 'standby' : phase === 'warmup' ? 'warm-up' : 'active';
}
