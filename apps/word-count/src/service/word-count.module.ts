// Owns the service as a Nest module. Where the broker is and where state lies is told from outside.
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { MillraceModule } from '#libs/nestjs';
import type { MillraceModuleOptions } from '#libs/nestjs';
import { WordCountTopology } from './word-count.topology.ts';

export const APPLICATION_ID = 'word-count';

@Module({})
export class WordCountModule {
  static forKafka(options: Pick<MillraceModuleOptions, 'kafka' | 'stateDir' | 'until'>): DynamicModule {
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
