// Owns the module users import.
import { Module } from '@nestjs/common';
import type { DynamicModule, Provider, Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { TopologyClass } from './decorators/topology.decorator.ts';
import type { ForFeatureOptions, MillraceFeature } from './millrace-module-options.ts';
import { ConfigurableModuleClass } from './millrace.module-definition.ts';
import { storeProviders } from './store.providers.ts';
import { DEFAULT_APPLICATION } from './tokens.ts';

/**
 * An application per `forRoot` or `forRootAsync`; several have names. It starts in the Nest application's `onApplicationBootstrap` phase
 * and is drained in `beforeApplicationShutdown`: by `app.close()`, and by signals, with `app.enableShutdownHooks()` and without.
 */
@Module({ imports: [DiscoveryModule] })
export class MillraceModule extends ConfigurableModuleClass {
  /**
   * Provides topologies, classes with handlers, and handles on stores. A topology may as well be a plain provider of any module, next to
   * what it depends on.
   */
  static forFeature(
    topologies: readonly Type<TopologyClass | object>[],
    options?: ForFeatureOptions,
  ): DynamicModule;
  static forFeature(feature: MillraceFeature): DynamicModule;
  static forFeature(
    given: readonly Type<TopologyClass | object>[] | MillraceFeature,
    options: ForFeatureOptions = {},
  ): DynamicModule {
    const feature: MillraceFeature = isList(given) ? { ...options, topologies: given } : given;
    const stores = storeProviders(feature.stores ?? [], feature.application ?? DEFAULT_APPLICATION);
    const topologies = feature.topologies ?? [];
    const providers: Provider[] = [...topologies, ...stores, ...(feature.providers ?? [])];
    return {
      module: MillraceModule,
      imports: feature.imports ?? [],
      providers,
      exports: [...topologies, ...stores.map(({ provide }) => provide), ...(feature.exports ?? [])],
    };
  }
}

const isList = (
  given: readonly Type<TopologyClass | object>[] | MillraceFeature,
): given is readonly Type<TopologyClass | object>[] => Array.isArray(given);
