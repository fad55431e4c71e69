// Owns how `forRoot` and `forRootAsync` become providers.
import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { DynamicModule, Provider } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { StreamsApplication } from '#libs/millrace';
import type { Logger } from '#libs/millrace';
import { ApplicationRunner } from './application-runner.ts';
import { MillraceHealthIndicator } from './health/millrace.health-indicator.ts';
import type { MillraceModuleExtras, MillraceModuleOptions } from './millrace-module-options.ts';
import { createNestLogger } from './nest-logger.ts';
import { producerProviders } from './producer.providers.ts';
import { MillraceControl } from './sight/millrace-control.ts';
import { storeProviders } from './store.providers.ts';
import {
  APPLICATION_NAME,
  DEFAULT_APPLICATION,
  getProducerToken,
  getStreamsApplicationToken,
  logContext,
} from './tokens.ts';
import { TopologyExplorer } from './topology.explorer.ts';

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<MillraceModuleOptions>({ moduleName: 'Millrace' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createMillraceOptions')
    .setExtras<MillraceModuleExtras>(
      { name: DEFAULT_APPLICATION, isGlobal: true, stores: [] },
      (definition, extras): DynamicModule => {
        const name = extras.name ?? DEFAULT_APPLICATION;
        const stores = storeProviders(extras.stores ?? [], name);
        return {
          ...definition,
          global: extras.isGlobal ?? true,
          providers: [
            ...(definition.providers ?? []),
            ...applicationProviders(name),
            ...producerProviders(name, MODULE_OPTIONS_TOKEN),
            ...stores,
          ],
          exports: [
            getStreamsApplicationToken(name),
            getProducerToken(name),
            MillraceHealthIndicator,
            MillraceControl,
            ...stores.map(({ provide }) => provide),
          ],
        };
      },
    )
    .build();

function applicationProviders(name: string): Provider[] {
  return [
    { provide: APPLICATION_NAME, useValue: name },
    TopologyExplorer,
    MillraceHealthIndicator,
    {
      provide: getStreamsApplicationToken(name),
      inject: [MODULE_OPTIONS_TOKEN, TopologyExplorer],
      useFactory: (options: MillraceModuleOptions, explorer: TopologyExplorer) => {
        const { onFatalError, autoStart, drainOnSignals, control, metrics, traces, ...rest } = options;
        void [onFatalError, autoStart, drainOnSignals, control, metrics, traces];
        return new StreamsApplication({
          logger: createNestLogger(logContext(name)),
          // Nest's own way out: shutdown hooks run first.
          exitProcess: () => {
            process.exitCode = 1;
            process.kill(process.pid, 'SIGTERM');
          },
          ...rest,
          // Drawn at the start, when every class marked with @Topology() has its instance.
          topology: () => explorer.build(name),
        });
      },
    },
    {
      provide: MillraceControl,
      inject: [getStreamsApplicationToken(name), MODULE_OPTIONS_TOKEN, DiscoveryService],
      useFactory: async (
        application: StreamsApplication,
        options: MillraceModuleOptions,
        discovery: DiscoveryService,
      ) => {
        const control = new MillraceControl(options.control, discovery, loggerOf(options, name));
        await control.check(application);
        return control;
      },
    },
    {
      provide: ApplicationRunner,
      inject: [getStreamsApplicationToken(name), MODULE_OPTIONS_TOKEN, TopologyExplorer, MillraceControl],
      useFactory: (
        application: StreamsApplication,
        options: MillraceModuleOptions,
        explorer: TopologyExplorer,
        control: MillraceControl,
      ) => new ApplicationRunner(application, options, explorer, loggerOf(options, name), control),
    },
  ];
}

function loggerOf({ logger }: MillraceModuleOptions, name: string): Logger {
  return logger ?? createNestLogger(logContext(name));
}
