// Owns the memory of which member of the group this instance was: a process that was killed finds in its own folder who it was, and says
// farewell for it. Without that the group would wait for the dead member until its session is over.
//
//   <folder of the instance>/member        {"groupId":"shop","type":"classic","memberId":"shop-6d1c…"}
//
// Whoever holds the folder's lock knows that its former holder is dead. Should it live all the same (a lock that somebody broke), it loses its
// membership and its commits are refused, as those of any member that was taken for dead.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BrokerAdmin } from '#libs/broker';
import { asError, within } from '#libs/core';
import type { Clock, Logger } from '#libs/core';

/** Beyond it the start goes on, and the session decides. */
const FAREWELL_MS = 5_000;

const memberNote = z.object({
  groupId: z.string().min(1),
  type: z.enum(['classic', 'streams']),
  memberId: z.string().min(1),
});

export type MemberNote = z.infer<typeof memberNote>;

const fileIn = (directory: string): string => join(directory, 'member');

/** Who the instance was that had the folder before; `null`: nobody, or it cannot be read. */
export async function readMember(directory: string): Promise<MemberNote | null> {
  try {
    return memberNote.parse(JSON.parse(await readFile(fileIn(directory), 'utf8')));
  } catch {
    return null;
  }
}

/** Writes down who this instance is, each time it changes. A note that cannot be written costs a wait after a kill, nothing else. */
export class MemberNotes {
  private readonly directory: string;
  private readonly logger: Logger;
  private noted = '';
  private writing: Promise<void> = Promise.resolve();

  constructor(directory: string, logger: Logger) {
    this.directory = directory;
    this.logger = logger;
  }

  note(member: MemberNote): void {
    const text = JSON.stringify(member);
    if (text === this.noted) return;
    this.noted = text;
    this.writing = this.writing.then(() => this.write(text));
  }

  /** Resolves once all is written. */
  close(): Promise<void> {
    return this.writing;
  }

  private async write(text: string): Promise<void> {
    const file = fileIn(this.directory);
    try {
      await writeFile(`${file}.new`, text);
      // Renamed into place: a kill in between leaves no half a note.
      await rename(`${file}.new`, file);
    } catch (error) {
      this.logger.debug('Who this member is could not be written down', { error: asError(error).message });
    }
  }
}

export interface FarewellParts {
  readonly admin: Pick<BrokerAdmin, 'removeMembers'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Puts the dead member out of its group; one that is not in it any more is no matter. Never rejects. */
export async function sayFarewell({ admin, clock, logger }: FarewellParts, dead: MemberNote): Promise<void> {
  const { groupId, type, memberId } = dead;
  const member = {
    ...{ memberId, groupInstanceId: null, clientId: '', clientHost: '' },
    ...{ partitions: [], tasks: null, userData: null },
  };
  const leaving = admin.removeMembers({ groupId, type, state: '', members: [member] }).then(
    () => logger.debug('The member that this instance was before is not in the group any more', { memberId }),
    (error: unknown) =>
      logger.warn('The group waits for the member that this instance was before, until its session is over', {
        memberId,
        error: asError(error).message,
      }),
  );
  await within(clock, FAREWELL_MS, leaving);
}
