// Owns the service as a Nest module. Where Kafka is and where state lies comes from variables: see docs/guide/configuration.md.
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { readConfiguration } from '#libs/millrace';
import { MillraceModule } from '#libs/nestjs';
import type { MillraceModuleOptions } from '#libs/nestjs';
import { CardsController } from './http/cards.controller.ts';
import { HealthController } from './http/health.controller.ts';
import { RulesController } from './http/rules.controller.ts';
import { Distances } from './distances.ts';
import { FraudPatternsTopology } from './fraud-patterns.topology.ts';

export const DEFAULTS = {
  applicationId: 'fraud-patterns',
  // A service that was killed is missed by its group after this long, not after the default of 45 s.
  sessionTimeoutMs: 10_000,
} as const;

const fromOutside = (): MillraceModuleOptions => readConfiguration({ defaults: DEFAULTS });

@Module({})
export class FraudPatternsModule {
  /** `useFactory`: where the options come from, if not from variables. */
  static forRoot(useFactory: () => MillraceModuleOptions = fromOutside): DynamicModule {
    return {
      module: FraudPatternsModule,
      imports: [
        TerminusModule.forRoot({ logger: false }),
        MillraceModule.forRootAsync({ useFactory, stores: ['rules', 'card-status-frozen'] }),
      ],
      controllers: [CardsController, RulesController, HealthController],
      providers: [FraudPatternsTopology, Distances],
    };
  }
}
