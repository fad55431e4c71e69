// Owns what a store must have in common with what wrote it, and the refusals all backends share.
import { MillraceError } from '#libs/core';
import type { StateStoreSpec } from './contract.ts';

/** Kind, layout and serde names: state written under another identity would be decoded wrongly. */
export function storeIdentity(store: StateStoreSpec): string {
  // Rows that expire lie elsewhere; how long they are kept may change.
  const kind = store.kind === 'ordered' && store.expiry !== null ? 'ordered expiring' : store.kind;
  const layout = store.layout === undefined ? kind : `${kind} ${store.layout}`;
  return `${layout} key=${store.keySerde.name} value=${store.valueSerde.name}`;
}

const IDENTITY = /^(?<layout>.*) key=(?<key>.*) value=(?<value>.*)$/s;

/** What of two identities differs, in words. */
function difference(written: string, expected: string): string {
  const before = IDENTITY.exec(written)?.groups;
  const now = IDENTITY.exec(expected)?.groups;
  if (before === undefined || now === undefined) return 'they differ';
  const parts: string[] = [];
  if (before['layout'] !== now['layout']) parts.push('the kind of store or its layout');
  if (before['key'] !== now['key']) parts.push('the key serde');
  if (before['value'] !== now['value']) parts.push('the value serde');
  return `${parts.join(', ')} changed`;
}

export function stateIncompatible(
  taskId: string,
  store: string,
  written: string,
  expected: string,
): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_STATE_INCOMPATIBLE',
    message: `Store "${store}" of task ${taskId} was written as (${written}), but the topology declares it as (${expected}): ${difference(written, expected)}.`,
    remedy:
      'Give the changed store a new name, or go back to the serdes, window sizes and operator that wrote it.',
    context: { taskId, store, written, expected },
  });
}

export function stateLocked(taskId: string, where: string, cause?: unknown): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_STATE_LOCKED',
    message: `The state of task ${taskId} (${where}) is held by another process or task.`,
    remedy: 'Stop the other process, or give each process a state directory of its own.',
    cause,
    context: { taskId, where },
  });
}

export function stateInUse(taskId: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_ILLEGAL_STATE',
    message: `The state of task ${taskId} cannot be removed while it is open.`,
    remedy: 'Close the task first.',
    context: { taskId },
  });
}
