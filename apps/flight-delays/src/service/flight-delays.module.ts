// Owns the service as a Nest module. Where the broker is and where state lies is told from outside.
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { MillraceModule } from '#libs/nestjs';
import type { MillraceModuleOptions } from '#libs/nestjs';
import { FlightDelaysTopology } from './flight-delays.topology.ts';

/** What is the service's own is set here; where it runs is told from outside. */
export type FlightDelaysOptions = Pick<
  MillraceModuleOptions,
  | 'kafka'
  | 'stateDir'
  | 'until'
  | 'state'
  | 'instanceId'
  | 'clock'
  | 'sessionTimeoutMs'
  | 'heartbeatIntervalMs'
>;

@Module({})
export class FlightDelaysModule {
  static forKafka(options: FlightDelaysOptions): DynamicModule {
    return {
      module: FlightDelaysModule,
      imports: [
        MillraceModule.forRoot({
          applicationId: 'flight-delays',
          // A service that was killed is missed by its group after this long, not after the default of 45 s.
          sessionTimeoutMs: 10_000,
          ...options,
        }),
      ],
      providers: [FlightDelaysTopology],
    };
  }
}
