// Owns the service as a Nest module. Where Kafka is and where state lies comes from variables: see docs/guide/configuration.md.
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { readConfiguration } from '#libs/millrace';
import { MillraceModule } from '#libs/nestjs';
import type { MillraceModuleOptions } from '#libs/nestjs';
import { AccountsController } from './http/accounts.controller.ts';
import { HealthController } from './http/health.controller.ts';
import { ExchangeRates } from './exchange-rates.ts';
import { OrdersPaymentsTopology } from './orders-payments.topology.ts';

export const APPLICATION_ID = 'orders-payments';

const fromOutside = (): MillraceModuleOptions =>
  readConfiguration({
    // A service that was killed is missed by its group after ten seconds, not after the default of 45 s.
    defaults: { applicationId: APPLICATION_ID, sessionTimeoutMs: 10_000 },
  });

@Module({})
export class OrdersPaymentsModule {
  /** `useFactory`: where the options come from, if not from variables. */
  static forRoot(useFactory: () => MillraceModuleOptions = fromOutside): DynamicModule {
    return {
      module: OrdersPaymentsModule,
      imports: [
        TerminusModule.forRoot({ logger: false }),
        MillraceModule.forRootAsync({ useFactory, stores: ['accounts'] }),
      ],
      controllers: [AccountsController, HealthController],
      providers: [
        OrdersPaymentsTopology,
        { provide: ExchangeRates, useFactory: () => ExchangeRates.fromEnvironment() },
      ],
    };
  }
}
