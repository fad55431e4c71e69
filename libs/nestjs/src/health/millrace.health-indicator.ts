// Owns what an application says of its health. Its results are those of @nestjs/terminus, which need not be installed: an application that
// restores is alive and not ready.
import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { LifecycleState, StreamsApplication } from '#libs/millrace';
import { getStreamsApplicationToken } from '../tokens.ts';

/** By the key it was asked for; assignable to terminus' `HealthIndicatorResult`. */
export type MillraceHealthResult<Key extends string = string> = Record<
  Key,
  {
    readonly status: 'up' | 'down';
    readonly state: LifecycleState;
    readonly runningTasks: number;
    readonly restoringTasks: number;
    /** Only after a failure. */
    readonly error?: string;
  }
>;

@Injectable()
export class MillraceHealthIndicator {
  constructor(private readonly moduleRef: ModuleRef) {}

  /** Liveness: down once the application has failed for good, when a restart of the process is all that helps. */
  isAlive<Key extends string = 'millrace'>(
    key: Key = 'millrace' as Key,
    application?: string,
  ): MillraceHealthResult<Key> {
    const { state } = this.find(application);
    return this.result(key, state !== 'ERROR' && state !== 'PENDING_ERROR', application);
  }

  /** Readiness: up while all assigned tasks process; down while they are handed over or restored, and at the end. */
  isReady<Key extends string = 'millrace'>(
    key: Key = 'millrace' as Key,
    application?: string,
  ): MillraceHealthResult<Key> {
    return this.result(key, this.find(application).state === 'RUNNING', application);
  }

  private find(application: string | undefined): StreamsApplication {
    return this.moduleRef.get<StreamsApplication>(getStreamsApplicationToken(application), { strict: false });
  }

  private result<Key extends string>(
    key: Key,
    up: boolean,
    application: string | undefined,
  ): MillraceHealthResult<Key> {
    const { state, error, figures } = this.find(application).snapshot();
    const details = {
      status: up ? ('up' as const) : ('down' as const),
      state,
      runningTasks: figures?.runningTasks.length ?? 0,
      restoringTasks: figures?.openingTasks.length ?? 0,
      // The code alone: messages name topics and hosts, and this goes over HTTP.
      ...(error === null ? {} : { error: error.code }),
    };
    return { [key]: details } as MillraceHealthResult<Key>;
  }
}
