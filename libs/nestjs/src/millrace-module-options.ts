// Owns what `MillraceModule.forRoot` takes.
import type { MillraceError, StreamsApplicationOptions } from '#libs/millrace';

/**
 * What happens when the application fails for good. Always: the error is logged, liveness and readiness go down, and the process
 * will exit with code 1. `report`: nothing more; a process without a server then ends by itself, one with a server is
 * ended by whoever watches its liveness. `terminate`: the process also sends itself SIGTERM, so that Nest shuts
 * down (`enableShutdownHooks()`). A function decides itself.
 */
export type FatalErrorPolicy = 'report' | 'terminate' | ((error: MillraceError) => void);

/** `StreamsApplicationOptions` without the topology, which is found: classes marked with `@Topology()`. */
export interface MillraceModuleOptions extends Omit<StreamsApplicationOptions, 'topology'> {
  /** Default `report`. */
  readonly onFatalError?: FatalErrorPolicy;
  /** False: the application is started by a call of `StreamsApplication.start()`. Default true. */
  readonly autoStart?: boolean;
}

/** What must be known before options are, and so stands beside `useFactory`. */
export interface MillraceModuleExtras {
  /** Tells several applications in one process apart. Default: the unnamed one. */
  readonly name?: string;
  /** Default true. False: who injects the application imports this module. */
  readonly isGlobal?: boolean;
}

/** For `forRootAsync({ useClass })`. */
export interface MillraceOptionsFactory {
  createMillraceOptions(): Promise<MillraceModuleOptions> | MillraceModuleOptions;
}
