// Owns what an application says of its health. Its results are those of @nestjs/terminus, which need not be installed: an application that
// restores is alive and not ready. What it says goes over HTTP, so of errors it gives codes alone: messages name topics and hosts.
import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { LifecycleState, StreamsApplication } from '#libs/millrace';
import { getStreamsApplicationToken } from '../tokens.ts';
import { lagOf, restoreOf } from './figures.ts';
import type { LagFigures, RestoringFigures } from './figures.ts';

/** By the key it was asked for; assignable to terminus' `HealthIndicatorResult`. */
export type HealthResult<Key extends string, Details> = Record<
  Key,
  Details & { readonly status: 'up' | 'down'; readonly state: LifecycleState; readonly error?: string }
>;

export type MillraceHealthResult<Key extends string = string> = HealthResult<
  Key,
  { readonly runningTasks: number; readonly restoringTasks: number }
>;

export interface RestoringLimits {
  /** Up while no more is to be restored than this. Default 0: nothing, and no task is being opened. */
  readonly offsetsMax?: number;
  /** Default: the unnamed one. */
  readonly application?: string;
}

export interface LagLimits {
  /** Records that this instance's tasks may be behind, over all their partitions. Default: any. */
  readonly recordsMax?: number;
  /** Age of the oldest record that waits, milliseconds. Default: any. */
  readonly ageMsMax?: number;
  /** Default: the unnamed one. */
  readonly application?: string;
}

@Injectable()
export class MillraceHealthIndicator {
  constructor(private readonly moduleRef: ModuleRef) {}

  /** Liveness: down once the application has failed for good, when a restart of the process is all that helps. */
  isAlive<Key extends string = 'millrace'>(
    key: Key = 'millrace' as Key,
    application?: string,
  ): MillraceHealthResult<Key> {
    const { state } = this.find(application);
    return this.tasks(key, state !== 'ERROR' && state !== 'PENDING_ERROR', application);
  }

  /** Readiness: up while all assigned tasks process; down while they are handed over or restored, and at the end. */
  isReady<Key extends string = 'millrace'>(
    key: Key = 'millrace' as Key,
    application?: string,
  ): MillraceHealthResult<Key> {
    return this.tasks(key, this.find(application).state === 'RUNNING', application);
  }

  /** Restoring: down while more state than allowed is still to be brought in for tasks to process, or for global tables. */
  isRestored<Key extends string = 'millrace'>(
    key: Key = 'millrace' as Key,
    { offsetsMax = 0, application }: RestoringLimits = {},
  ): HealthResult<Key, RestoringFigures> {
    const figures = restoreOf(this.find(application).figures);
    const { restoringTasks, remainingOffsets } = figures;
    const isUp = offsetsMax > 0 ? remainingOffsets <= offsetsMax : restoringTasks + remainingOffsets === 0;
    return this.result(key, isUp, application, figures);
  }

  /** Lag: down while this instance's tasks are behind by more than is allowed. Partitions whose end is not known yet do not count. */
  isWithinLag<Key extends string = 'millrace'>(
    key: Key = 'millrace' as Key,
    { recordsMax = Infinity, ageMsMax = Infinity, application }: LagLimits = {},
  ): HealthResult<Key, LagFigures> {
    const figures = lagOf(this.find(application));
    const isUp = figures.lagRecords <= recordsMax && figures.lagMs <= ageMsMax;
    return this.result(key, isUp, application, figures);
  }

  private find(application: string | undefined): StreamsApplication {
    return this.moduleRef.get<StreamsApplication>(getStreamsApplicationToken(application), { strict: false });
  }

  private tasks<Key extends string>(
    key: Key,
    isUp: boolean,
    application: string | undefined,
  ): MillraceHealthResult<Key> {
    const { figures } = this.find(application).snapshot();
    return this.result(key, isUp, application, {
      runningTasks: figures?.runningTasks.length ?? 0,
      restoringTasks: figures?.openingTasks.length ?? 0,
    });
  }

  private result<Key extends string, Details extends object>(
    key: Key,
    isUp: boolean,
    application: string | undefined,
    details: Details,
  ): HealthResult<Key, Details> {
    const { state, error } = this.find(application).snapshot();
    const status = isUp ? ('up' as const) : ('down' as const);
    const result = { status, state, ...details, ...(error === null ? {} : { error: error.code }) };
    return { [key]: result } as HealthResult<Key, Details>;
  }
}
