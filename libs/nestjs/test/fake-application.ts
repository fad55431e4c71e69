// Owns a StreamsApplication without a broker: it walks the lifecycle as told and says what was asked of it.
import type { LoggerService } from '@nestjs/common';
import type { StreamsApplication } from '#libs/millrace';
import type { ApplicationSnapshot, LifecycleState, MillraceError } from '#libs/millrace';

export class FakeApplication {
  readonly calls: string[] = [];
  state: LifecycleState = 'CREATED';
  error: MillraceError | null = null;
  startFailure: MillraceError | null = null;
  /** What health looks at. */
  figures: object | null = null;
  insightTasks: object[] = [];
  private readonly ended = Promise.withResolvers<undefined>();

  asApplication(): StreamsApplication {
    return this as unknown as StreamsApplication;
  }

  start(): Promise<void> {
    this.calls.push('start');
    if (this.startFailure !== null) {
      const failure = this.startFailure;
      this.fail(failure);
      return Promise.reject(failure);
    }
    this.state = 'RUNNING';
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.calls.push('stop');
    if (this.state !== 'ERROR') this.state = 'NOT_RUNNING';
    this.ended.resolve(undefined);
    return Promise.resolve();
  }

  whenEnded(): Promise<void> {
    return this.ended.promise;
  }

  fail(error: MillraceError): void {
    this.state = 'ERROR';
    this.error = error;
    this.ended.reject(error);
  }

  insight(): object {
    return { tasks: this.insightTasks };
  }

  snapshot(): ApplicationSnapshot {
    const { state, error } = this;
    return {
      applicationId: 'fake',
      instanceId: 'one',
      state,
      error: error === null ? null : { code: error.code, message: error.message },
      figures: null,
    };
  }
}

export const silentNestLogger: LoggerService = {
  log: () => undefined,
  error: () => undefined,
  warn: () => undefined,
};
