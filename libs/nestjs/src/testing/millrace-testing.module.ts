// Owns `MillraceTestingModule`: a module's topologies and handlers run by the test driver, with all their providers, none of them mocked but
// those a test overrides.
import { Module } from '@nestjs/common';
import type { DynamicModule, InjectionToken, Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { MillraceError } from '#libs/millrace';
import type { StreamsApplication } from '#libs/millrace';
import type { TopologyTestDriver, TopologyTestDriverOptions } from '#libs/testing';
import { ApplicationRunner } from '../application-runner.ts';
import { MillraceHealthIndicator } from '../health/millrace.health-indicator.ts';
import type { MillraceModuleOptions } from '../millrace-module-options.ts';
import { MODULE_OPTIONS_TOKEN } from '../millrace.module-definition.ts';
import { createNestLogger } from '../nest-logger.ts';
import { storeProviders } from '../store.providers.ts';
import type { StoreReference } from '../store.providers.ts';
import {
  APPLICATION_NAME,
  DEFAULT_APPLICATION,
  getProducerToken,
  getStreamsApplicationToken,
  logContext,
} from '../tokens.ts';
import { TopologyExplorer } from '../topology.explorer.ts';
import { DriverApplication } from './driver-application.ts';
import { RecordedProducer } from './recorded-producer.ts';

export interface MillraceTestingOptions extends TopologyTestDriverOptions {
  /** The application that is meant. Default: the unnamed one. */
  readonly name?: string;
  /** Stores that `@InjectStore()` is asked for, by name; those of `forFeature` need not be named. */
  readonly stores?: readonly StoreReference[];
}

/** The part of `TestingModuleBuilder` of `@nestjs/testing` that is needed. */
export interface OverridableModule {
  overrideProvider(token: InjectionToken): {
    useFactory(options: { factory: (...given: never[]) => unknown; inject?: never[] }): unknown;
  };
}

/** Options of the runtime that a driver takes over from an application. */
const TAKEN_OVER = [
  'commitIntervalMs',
  'epochBytesMax',
  'autoOffsetReset',
  'maxTaskIdleMs',
  'recordBytesMax',
  'batchBytes',
  'cacheBytesMax',
] as const;

@Module({ imports: [DiscoveryModule] })
export class MillraceTestingModule {
  /** Takes the place of `MillraceModule.forRoot` in a test of feature modules. The driver starts with the module: `await module.init()`. */
  static forRoot(options: MillraceTestingOptions = {}): DynamicModule {
    const { name = DEFAULT_APPLICATION, stores = [], ...driver } = options;
    const token = getStreamsApplicationToken(name);
    const handles = storeProviders(stores, name);
    const providers: Provider[] = [
      { provide: APPLICATION_NAME, useValue: name },
      TopologyExplorer,
      MillraceHealthIndicator,
      ...handles,
      { provide: getProducerToken(name), useFactory: () => new RecordedProducer() },
      {
        provide: token,
        inject: [TopologyExplorer],
        useFactory: (explorer: TopologyExplorer) => new DriverApplication(() => explorer.build(name), driver),
      },
      {
        provide: ApplicationRunner,
        inject: [token, TopologyExplorer],
        useFactory: (application: StreamsApplication, explorer: TopologyExplorer) =>
          new ApplicationRunner(
            application,
            { drainOnSignals: false },
            explorer,
            createNestLogger(logContext(name)),
            null,
          ),
      },
    ];
    return {
      module: MillraceTestingModule,
      global: true,
      providers,
      exports: [
        token,
        getProducerToken(name),
        MillraceHealthIndicator,
        ...handles.map(({ provide }) => provide),
      ],
    };
  }

  /**
   * Puts a driver in the place of an application of a module under test, which keeps its `MillraceModule.forRoot`:
   * `MillraceTestingModule.override(Test.createTestingModule({ imports: [AppModule] }))`. Identity, guarantee and exception handlers are
   * those of the application, unless `options` says otherwise.
   */
  static override<Builder extends OverridableModule>(
    builder: Builder,
    options: MillraceTestingOptions = {},
  ): Builder {
    const { name = DEFAULT_APPLICATION, stores: _stores, ...driver } = options;
    builder.overrideProvider(getStreamsApplicationToken(name)).useFactory({
      inject: [TopologyExplorer, MODULE_OPTIONS_TOKEN] as never[],
      factory: (explorer: TopologyExplorer, given: MillraceModuleOptions) =>
        new DriverApplication(() => explorer.build(name), { ...driverOptions(given), ...driver }),
    });
    builder.overrideProvider(getProducerToken(name)).useFactory({ factory: () => new RecordedProducer() });
    return builder;
  }
}

/** The driver of an application in an initialised module. @throws MillraceError MILLRACE_ILLEGAL_STATE it does not run, or is no driver's. */
export function getTestDriver(
  module: {
    get(token: InjectionToken, options: { strict: false }): unknown;
  },
  name?: string,
): TopologyTestDriver {
  const application = module.get(getStreamsApplicationToken(name), { strict: false });
  if (application instanceof DriverApplication) return application.driver;
  throw new MillraceError({
    code: 'MILLRACE_ILLEGAL_STATE',
    message: `The application "${name ?? DEFAULT_APPLICATION}" is not run by a test driver.`,
    remedy: 'Import MillraceTestingModule.forRoot(), or wrap the builder: MillraceTestingModule.override(…).',
  });
}

function driverOptions(given: MillraceModuleOptions): TopologyTestDriverOptions {
  const { applicationId, processingGuarantee, exceptionHandlers } = given;
  const config: Record<string, unknown> = {};
  for (const option of TAKEN_OVER) if (given[option] !== undefined) config[option] = given[option];
  return {
    applicationId,
    ...(processingGuarantee === undefined ? {} : { processingGuarantee }),
    ...(exceptionHandlers === undefined ? {} : { exceptionHandlers }),
    config,
  };
}
