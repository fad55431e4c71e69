// Owns the service as a Nest module. Where the broker is and where state lies is told from outside.
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { MillraceModule } from '#libs/nestjs';
import { FlightDelaysTopology } from './flight-delays.topology.ts';

export interface FlightDelaysOptions {
  readonly brokers: readonly string[];
  readonly stateDir: string;
  /** `latest`: ends when the input that is there is processed. */
  readonly until: 'stopped' | 'latest';
}

@Module({})
export class FlightDelaysModule {
  static forBroker({ brokers, stateDir, until }: FlightDelaysOptions): DynamicModule {
    return {
      module: FlightDelaysModule,
      imports: [
        MillraceModule.forRoot({
          applicationId: 'flight-delays',
          kafka: { brokers },
          stateDir,
          until,
          // A service that was killed is missed by its group after this long, not after the default of 45 s.
          sessionTimeoutMs: 10_000,
        }),
      ],
      providers: [FlightDelaysTopology],
    };
  }
}
