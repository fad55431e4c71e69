// Owns the service as a Nest module. Where the broker is and where state lies is told from outside.
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { MillraceModule } from '#libs/nestjs';
import type { MillraceModuleOptions } from '#libs/nestjs';
import { WordCountTopology } from './word-count.topology.ts';

export const APPLICATION_ID = 'word-count';

/** What is the service's own is set here; where it runs is told from outside. */
export type WordCountOptions = Pick<
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
export class WordCountModule {
  static forKafka(options: WordCountOptions): DynamicModule {
    return {
      module: WordCountModule,
      imports: [
        MillraceModule.forRoot({
          applicationId: APPLICATION_ID,
          // A copy that was killed is missed by its group after this long, not after the default of 45 s.
          sessionTimeoutMs: 6_000,
          ...options,
        }),
      ],
      providers: [WordCountTopology],
    };
  }
}
