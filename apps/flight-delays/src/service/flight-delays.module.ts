// Owns the service as a Nest module. Where the broker is and where state lies is told from outside.
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { MillraceModule } from '#libs/nestjs';
import type { MillraceModuleOptions } from '#libs/nestjs';
import { RECORD_SERDES, jsonSerdes } from '../records/record-serdes.ts';
import type { RecordSerdes } from '../records/record-serdes.ts';
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
  | 'applicationServer'
  | 'control'
  | 'metrics'
>;

export const APPLICATION_ID = 'flight-delays';

@Module({})
export class FlightDelaysModule {
  /** `records`: how they are written. */
  static forKafka(options: FlightDelaysOptions, records: RecordSerdes = jsonSerdes()): DynamicModule {
    return {
      module: FlightDelaysModule,
      imports: [
        MillraceModule.forRoot({
          applicationId: APPLICATION_ID,
          // A service that was killed is missed by its group after this long, not after the default of 45 s.
          sessionTimeoutMs: 10_000,
          ...options,
        }),
      ],
      providers: [FlightDelaysTopology, { provide: RECORD_SERDES, useValue: records }],
    };
  }
}
