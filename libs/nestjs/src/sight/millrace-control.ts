// Owns the control server of a Nest application: one, for all its stream applications. What it serves is libs/control's business; that is loaded
// only where a server is asked for.
import type { OnApplicationShutdown } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import type { ControlServer } from '#libs/control';
import { StreamsApplication } from '#libs/millrace';
import type { Logger } from '#libs/millrace';
import { severalControlServers } from '../exceptions.ts';
import { APPLICATION_NAME, getStreamsApplicationToken } from '../tokens.ts';
import type { ModuleControlOptions, SightOptions } from './sight-options.ts';

/** Where the control server is. Injected as itself. */
export class MillraceControl implements OnApplicationShutdown {
  private server: ControlServer | null = null;

  private readonly options: ModuleControlOptions | null;
  private readonly discovery: DiscoveryService;
  private readonly logger: Logger;

  constructor(control: SightOptions['control'], discovery: DiscoveryService, logger: Logger) {
    this.options = control === undefined || control === false ? null : control === true ? {} : control;
    this.discovery = discovery;
    this.logger = logger;
  }

  /** `http://127.0.0.1:8075`, the dashboard's address; `null`: there is no server (yet, or any more). */
  get url(): string | null {
    return this.all().find(({ server }) => server !== null)?.server?.url ?? null;
  }

  /** @internal @throws FatalError MILLRACE_INVALID_CONFIG with every fault of the options. */
  async check(application: StreamsApplication): Promise<void> {
    if (this.options === null || !(application instanceof StreamsApplication)) return;
    const { resolveControlOptions } = await import('#libs/control');
    resolveControlOptions({ ...this.options, applications: [application] });
  }

  /** @internal Before the application starts, so that its start can be watched. @throws FatalError MILLRACE_INVALID_CONFIG the address is taken. */
  async open(): Promise<void> {
    if (this.options === null || this.server !== null) return;
    if (this.all().filter(({ options }) => options !== null).length > 1) throw severalControlServers();
    const applications = this.applications();
    // In a test the driver has taken its place.
    if (applications.length === 0) return;
    const { createControlServer } = await import('#libs/control');
    this.server = await createControlServer({ ...this.options, applications, logger: this.logger });
    // A process ends with its applications and servers; this one only watches.
    this.server.unref();
  }

  /** @internal */
  async close(): Promise<void> {
    const { server } = this;
    this.server = null;
    await server?.close();
  }

  /** The applications have drained: until then their end can be watched. */
  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  private applications(): StreamsApplication[] {
    const providers = this.discovery.getProviders();
    const names = providers
      .filter(({ token }) => token === APPLICATION_NAME)
      .map(({ instance }) => instance as string);
    const tokens = names.map((name): unknown => getStreamsApplicationToken(name));
    return providers
      .filter(({ token }) => tokens.includes(token))
      .map(({ instance }) => instance as unknown)
      .filter((instance) => instance instanceof StreamsApplication);
  }

  private all(): MillraceControl[] {
    return this.discovery
      .getProviders()
      .filter(({ token }) => token === MillraceControl)
      .map(({ instance }) => instance as MillraceControl);
  }
}
