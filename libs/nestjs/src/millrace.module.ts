// Owns the module users import.
import { Module } from '@nestjs/common';
import type { DynamicModule, ModuleMetadata, Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { TopologyClass } from './decorators/topology.decorator.ts';
import { ConfigurableModuleClass } from './millrace.module-definition.ts';

/** Where the topologies' own dependencies come from. */
export type ForFeatureOptions = Pick<ModuleMetadata, 'imports' | 'providers'>;

/**
 * An application per `forRoot` or `forRootAsync`; several have names. It starts in the Nest application's `onApplicationBootstrap` phase
 * and, on `app.close()`, is drained in `beforeApplicationShutdown`. Signals reach that only after
 * `app.enableShutdownHooks()`: without it a SIGTERM is a crash, which costs the open epoch's work and nothing else.
 */
@Module({ imports: [DiscoveryModule] })
export class MillraceModule extends ConfigurableModuleClass {
  /** Provides topologies. A topology may as well be a plain provider of any module, next to what it depends on. */
  static forFeature(
    topologies: readonly Type<TopologyClass>[],
    options: ForFeatureOptions = {},
  ): DynamicModule {
    return {
      module: MillraceModule,
      imports: options.imports ?? [],
      providers: [...topologies, ...(options.providers ?? [])],
      exports: [...topologies],
    };
  }
}
