// Owns an application's place in Nest's lifecycle: it starts when the Nest application is bootstrapped and drains before anything closes.
//
//   onModuleInit (all modules) ─► onApplicationBootstrap: start ─► … ─► onModuleDestroy ─► beforeApplicationShutdown: drain, commit,
//   leave the group ─► servers and microservices close ─► onApplicationShutdown
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { MillraceError } from '#libs/millrace';
import type { Logger, StreamsApplication } from '#libs/millrace';
import type { MillraceModuleOptions } from './millrace-module-options.ts';
import { processSignals } from './signals/process-signals.ts';
import type { TopologyExplorer } from './topology.explorer.ts';

export class ApplicationRunner implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly application: StreamsApplication,
    private readonly options: Pick<MillraceModuleOptions, 'autoStart' | 'onFatalError' | 'drainOnSignals'>,
    private readonly explorer: TopologyExplorer,
    private readonly logger: Logger,
  ) {}

  /** @throws MillraceError what stands in the way: then the Nest application does not come up. */
  async onApplicationBootstrap(): Promise<void> {
    this.explorer.check();
    // Also of one that is started by hand.
    const whenEnded = this.application.whenEnded();
    const forget = (): void => processSignals.remove(this.application);
    let started = this.options.autoStart === false;
    whenEnded.then(forget, (error: unknown) => {
      forget();
      if (started) this.onFatalError(error);
    });
    // Before the start, which joins the group.
    if (this.options.drainOnSignals !== false) processSignals.add(this.application, this.logger);
    if (started) return;
    await this.application.start();
    started = true;
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.application.stop();
    processSignals.remove(this.application);
  }

  private onFatalError(error: unknown): void {
    const { onFatalError = 'report' } = this.options;
    // The runtime has logged it.
    process.exitCode = 1;
    if (typeof onFatalError === 'function') {
      if (error instanceof MillraceError) onFatalError(error);
    } else if (onFatalError === 'terminate') {
      process.kill(process.pid, 'SIGTERM');
    }
  }
}
