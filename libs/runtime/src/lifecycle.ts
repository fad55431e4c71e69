// Owns the lifecycle of a stream application and its legal transitions. It starts and stops nothing.
//
//              ┌─────────────────────────────┐
//              ▼                             │ rebalance, recovery
//   CREATED ─► REBALANCING ─► RUNNING ───────┘
//      │          │  │            │ │
//      │          │  └────────────┼─┼──► PENDING_ERROR ─► ERROR
//      ▼          ▼               ▼
//      └───► PENDING_SHUTDOWN ◄───┘
//                 │
//                 ▼
//            NOT_RUNNING
//
// States and names are Kafka Streams' (KafkaStreams.State).
import { assert } from '#libs/core';

export type LifecycleState =
  'CREATED' | 'REBALANCING' | 'RUNNING' | 'PENDING_SHUTDOWN' | 'NOT_RUNNING' | 'PENDING_ERROR' | 'ERROR';

const LEGAL: Readonly<Record<LifecycleState, readonly LifecycleState[]>> = {
  CREATED: ['REBALANCING', 'PENDING_SHUTDOWN', 'PENDING_ERROR'],
  REBALANCING: ['RUNNING', 'PENDING_SHUTDOWN', 'PENDING_ERROR'],
  RUNNING: ['REBALANCING', 'PENDING_SHUTDOWN', 'PENDING_ERROR'],
  PENDING_SHUTDOWN: ['NOT_RUNNING', 'PENDING_ERROR'],
  NOT_RUNNING: [],
  PENDING_ERROR: ['ERROR'],
  ERROR: [],
};

export type LifecycleListener = (state: LifecycleState, previous: LifecycleState) => void;

export class Lifecycle {
  private current: LifecycleState = 'CREATED';
  private readonly listeners = new Set<LifecycleListener>();
  private readonly onListenerError: (error: unknown) => void;

  constructor(onListenerError: (error: unknown) => void = () => undefined) {
    this.onListenerError = onListenerError;
  }

  get state(): LifecycleState {
    return this.current;
  }

  /** True once the application has ended, for whatever reason. */
  get ended(): boolean {
    return this.current === 'NOT_RUNNING' || this.current === 'ERROR';
  }

  /** Returns a function that removes the listener. */
  onChange(listener: LifecycleListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Moves to `next`; staying where it is, is no transition. */
  to(next: LifecycleState): void {
    const previous = this.current;
    if (previous === next) return;
    assert(LEGAL[previous].includes(next), `lifecycle cannot go from ${previous} to ${next}`);
    this.current = next;
    for (const listener of this.listeners) {
      try {
        listener(next, previous);
      } catch (error) {
        // A listener is an observer: what it throws must not keep the application from its next state.
        this.onListenerError(error);
      }
    }
  }

  canGoTo(next: LifecycleState): boolean {
    return LEGAL[this.current].includes(next);
  }
}
