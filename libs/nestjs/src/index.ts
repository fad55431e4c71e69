// libs/nestjs: Millrace in a NestJS application. Owns modules, decorators, lifecycle hooks, health and logging; processes nothing itself.
export { MillraceModule } from './millrace.module.ts';
export type { ForFeatureOptions } from './millrace.module.ts';
export type {
  FatalErrorPolicy,
  MillraceModuleExtras,
  MillraceModuleOptions,
  MillraceOptionsFactory,
} from './millrace-module-options.ts';
export { Topology } from './decorators/topology.decorator.ts';
export type { TopologyClass, TopologyOptions } from './decorators/topology.decorator.ts';
export { InjectStreamsApplication } from './decorators/inject-streams-application.decorator.ts';
export { getStreamsApplicationToken } from './tokens.ts';
export { MillraceHealthIndicator } from './health/millrace.health-indicator.ts';
export type { MillraceHealthResult } from './health/millrace.health-indicator.ts';
export { createNestLogger } from './nest-logger.ts';
