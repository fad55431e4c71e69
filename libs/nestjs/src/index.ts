// libs/nestjs: Millrace in a NestJS application. Owns modules, decorators, lifecycle hooks, health and logging; processes nothing itself.
export { MillraceModule } from './millrace.module.ts';
export type {
  FatalErrorPolicy,
  ForFeatureOptions,
  MillraceFeature,
  MillraceModuleExtras,
  MillraceModuleOptions,
  MillraceOptionsFactory,
} from './millrace-module-options.ts';
export { Topology } from './decorators/topology.decorator.ts';
export type { TopologyClass, TopologyOptions } from './decorators/topology.decorator.ts';
export { ExactlyOnceHandler } from './decorators/exactly-once-handler.decorator.ts';
export type {
  ExactlyOnceHandlerOptions,
  HandlerContext,
  HandlerOutput,
  HandlerProduced,
  HandlerResult,
  HandlerSerde,
} from './decorators/exactly-once-handler.decorator.ts';
export { InjectStreamsApplication } from './decorators/inject-streams-application.decorator.ts';
export { InjectStore } from './decorators/inject-store.decorator.ts';
export { InjectProducer } from './decorators/inject-producer.decorator.ts';
export { getProducerToken, getStoreToken, getStreamsApplicationToken } from './tokens.ts';
export { MillraceHealthIndicator } from './health/millrace.health-indicator.ts';
export type {
  HealthResult,
  LagLimits,
  MillraceHealthResult,
  RestoringLimits,
} from './health/millrace.health-indicator.ts';
export type { LagFigures, RestoringFigures } from './health/figures.ts';
export { MillraceControl } from './sight/millrace-control.ts';
export type { ModuleControlOptions, SightOptions } from './sight/sight-options.ts';
export type { StoreKindName, StoreReference } from './store.providers.ts';
export { createNestLogger } from './nest-logger.ts';
