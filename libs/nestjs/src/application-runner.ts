// Owns an application's place in Nest's lifecycle: it starts when the Nest application is bootstrapped and drains before anything closes.
//
//   onModuleInit (all modules) ─► onApplicationBootstrap: control server, start ─► … ─► onModuleDestroy ─► beforeApplicationShutdown:
//   drain, commit, leave the group ─► servers and microservices close ─► onApplicationShutdown: control server, producers
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { MillraceError } from '#libs/millrace';
import type { Logger, StreamsApplication } from '#libs/millrace';
import type { MillraceModuleOptions } from './millrace-module-options.ts';
import type { MillraceControl } from './sight/millrace-control.ts';
import { registerTelemetry } from './sight/telemetry.ts';
import type { Registered } from './sight/telemetry.ts';
import { processSignals } from './signals/process-signals.ts';
import type { TopologyExplorer } from './topology.explorer.ts';

type RunnerOptions = Pick<
  MillraceModuleOptions,
  'autoStart' | 'onFatalError' | 'drainOnSignals' | 'metrics' | 'traces'
>;

export class ApplicationRunner implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private telemetry: Registered | null = null;

  /** `control`: none in tests of the driver. */
  constructor(
    private readonly application: StreamsApplication,
    private readonly options: RunnerOptions,
    private readonly explorer: TopologyExplorer,
    private readonly logger: Logger,
    private readonly control: MillraceControl | null,
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
    // What is to be seen of the start is seen from its beginning.
    this.telemetry = await registerTelemetry(this.application, this.options);
    await this.control?.open();
    // Before the start, which joins the group.
    if (this.options.drainOnSignals !== false) processSignals.add(this.application, this.logger);
    if (started) return;
    try {
      await this.application.start();
    } catch (error) {
      // Nest does not come up, so it will not shut down either.
      this.telemetry.close();
      await this.control?.close();
      throw error;
    }
    started = true;
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.application.stop();
    processSignals.remove(this.application);
    this.telemetry?.close();
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
