// Owns the refusal of a task that is not here.
import { MillraceError } from '#libs/core';

export function unknownTaskOf(task: string, here: readonly { readonly taskId: string }[]): MillraceError {
  const names = here.map(({ taskId }) => taskId).join(', ');
  return new MillraceError({
    code: 'MILLRACE_UNKNOWN_TASK',
    message: `Task ${task} is not on this instance, which has ${names === '' ? 'none' : names}.`,
    remedy: 'Ask the instance that has it.',
  });
}
