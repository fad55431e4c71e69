// Owns the refusals of a reset.
import { FatalError, MillraceError } from '#libs/core';
import type { ResetMember, ResetStep } from './contract.ts';

const SHOWN_MAX = 10;

export function membersLive(
  applicationId: string,
  members: readonly ResetMember[],
  marked: boolean,
): FatalError {
  const shown = members
    .slice(0, SHOWN_MAX)
    .map(({ groupInstanceId, memberId, clientHost }) => `${groupInstanceId ?? memberId} at ${clientHost}`);
  const more = members.length > SHOWN_MAX ? ` and ${members.length - SHOWN_MAX} more` : '';
  const who = members.length === 0 ? 'members that joined meanwhile' : `members: ${shown.join(', ')}${more}`;
  return new FatalError({
    code: 'MILLRACE_RESET_MEMBERS_LIVE',
    message: `The group "${applicationId}" has ${who}.${marked ? ' The reset was begun and is not done.' : ' Nothing was changed.'}`,
    remedy: marked
      ? 'Stop every instance, then run the reset again to its end.'
      : 'Stop every instance; members of processes that were killed go when their session is over, or at once by force.',
    context: { applicationId, members: members.map(({ memberId }) => memberId) },
  });
}

export function stateInUse(directories: readonly string[]): FatalError {
  return new FatalError({
    code: 'MILLRACE_STATE_LOCKED',
    message: `Local state is held by a running process: ${directories.join(', ')}. Nothing was changed.`,
    remedy: 'Stop that process, then reset.',
    context: { directories },
  });
}

/** What a reset that has changed something already ends with. */
export function unfinished(applicationId: string, step: ResetStep, cause: unknown): FatalError {
  const why =
    cause instanceof MillraceError ? cause.code : cause instanceof Error ? cause.message : String(cause);
  return new FatalError({
    code: 'MILLRACE_RESET_UNFINISHED',
    message: `The reset of "${applicationId}" ended at the step "${step}" (${why}). The application does not start until it is done.`,
    remedy: 'See the cause, then run the reset again to its end: it goes on from whatever was done.',
    cause,
    context: { applicationId, step },
  });
}

export function invalid(message: string, remedy: string): FatalError {
  return new FatalError({ code: 'MILLRACE_INVALID_CONFIG', message, remedy });
}
