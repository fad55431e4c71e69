// Owns what `MillraceModule.forRoot` and `forFeature` take.
import type { InjectionToken, ModuleMetadata, Type } from '@nestjs/common';
import type { MillraceError, StreamsApplicationOptions } from '#libs/millrace';
import type { SightOptions } from './sight/sight-options.ts';
import type { StoreReference } from './store.providers.ts';
import type { TopologyClass } from './decorators/topology.decorator.ts';

/**
 * What happens when the application fails for good. Always: the error is logged, liveness and readiness go down, and the process
 * will exit with code 1. `report`: nothing more; a process without a server then ends by itself, one with a server is
 * ended by whoever watches its liveness. `terminate`: the process also sends itself SIGTERM, so that Nest shuts
 * down (`enableShutdownHooks()`). A function decides itself.
 */
export type FatalErrorPolicy = 'report' | 'terminate' | ((error: MillraceError) => void);

/** `StreamsApplicationOptions` without the topology, which is found: classes marked with `@Topology()`, methods with `@ExactlyOnceHandler()`. */
export interface MillraceModuleOptions extends Omit<StreamsApplicationOptions, 'topology'>, SightOptions {
  /** Default `report`. */
  readonly onFatalError?: FatalErrorPolicy;
  /** False: the application is started by a call of `StreamsApplication.start()`. Default true. */
  readonly autoStart?: boolean;
  /**
   * SIGTERM, SIGINT and SIGHUP drain the application before the process ends, also without `app.enableShutdownHooks()`: else it would stay
   * in its group, as a member that nobody hears of, until its session is over. Default true.
   */
  readonly drainOnSignals?: boolean;
}

/** What must be known before options are, and so stands beside `useFactory`. */
export interface MillraceModuleExtras {
  /** Tells several applications in one process apart. Default: the unnamed one. */
  readonly name?: string;
  /** Default true. False: who injects the application imports this module. */
  readonly isGlobal?: boolean;
  /** Stores that `@InjectStore()` is asked for, by name. `forFeature` may name them as well. */
  readonly stores?: readonly StoreReference[];
}

/** For `forRootAsync({ useClass })`. */
export interface MillraceOptionsFactory {
  createMillraceOptions(): Promise<MillraceModuleOptions> | MillraceModuleOptions;
}

/** Where the topologies' own dependencies come from. */
export type ForFeatureOptions = Pick<ModuleMetadata, 'imports' | 'providers'>;

/** What a feature module brings to an application, and takes from it. */
export interface MillraceFeature extends ForFeatureOptions {
  /** The application whose stores are meant. Default: the unnamed one. */
  readonly application?: string;
  /** Classes marked with `@Topology()`, or with handlers. */
  readonly topologies?: readonly Type<TopologyClass | object>[];
  /** Stores that `@InjectStore()` is asked for, by name. */
  readonly stores?: readonly StoreReference[];
  /** What of `providers` others may inject; the topologies and the stores always. */
  readonly exports?: readonly InjectionToken[];
}
