// Owns which applications a server serves, and the finding of one by its name.
import { MillraceError } from '#libs/core';
import type { Clock } from '#libs/core';
import type { StreamsApplication } from '#libs/millrace';
import { History } from './history.ts';
import { RateMeter } from './rates.ts';

export interface Served {
  readonly application: StreamsApplication;
  readonly rates: RateMeter;
  readonly history: History;
}

export class Applications {
  private readonly byId: ReadonlyMap<string, Served>;

  constructor(applications: readonly StreamsApplication[], clock: Clock) {
    this.byId = new Map(
      applications.map((application) => {
        const history = new History();
        const rates = new RateMeter(application, clock, history);
        return [application.applicationId, { application, rates, history }];
      }),
    );
  }

  get all(): Served[] {
    return [...this.byId.values()];
  }

  /** @throws MillraceError MILLRACE_UNKNOWN_APPLICATION */
  find(applicationId: string): Served {
    const served = this.byId.get(applicationId);
    if (served !== undefined) return served;
    throw new MillraceError({
      code: 'MILLRACE_UNKNOWN_APPLICATION',
      message: `This server has no application "${applicationId}"; it has ${[...this.byId.keys()].join(', ')}.`,
      remedy: 'Correct the name; GET /v1/applications lists them.',
    });
  }
}
