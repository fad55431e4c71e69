// Owns our own data inside the group protocol's standard framing: what a member tells the leader, and what the leader answers.
// JSON with a version, so that a rolling upgrade can tell what it reads.
import { MillraceError } from '#libs/core';
import type { TaskIdText } from '#libs/core';

const VERSION = 1;

/** In a member's subscription. */
export interface MemberData {
  /** Tells the successor of a dead member whose transaction to settle. */
  readonly transactionalId: string;
  readonly instanceId: string;
  /** Tasks the member runs or restores as it joins. */
  readonly tasks: readonly TaskIdText[];
  /** Tasks whose state lies on the member's disk. */
  readonly localTasks: readonly TaskIdText[];
}

/** In a member's assignment. */
export interface AssignmentData {
  readonly tasks: readonly TaskIdText[];
  /** Transactional ids of all members of this generation: never to be fenced by a successor. */
  readonly live: readonly string[];
  /** Transactional ids of members of an earlier generation that are gone: new owners settle their transactions first. */
  readonly departed: readonly string[];
  /** Tasks that wait for this member to give them up, by joining again; also if it has restarted since and runs them no more. */
  readonly givesUp: readonly TaskIdText[];
  /** Some member gives tasks up, so another round follows: whoever asks for it at once need not wait to be told by a heartbeat. */
  readonly handover: boolean;
}

export function encodeMemberData(data: MemberData): Uint8Array {
  return Buffer.from(JSON.stringify({ version: VERSION, ...data }));
}

export function encodeAssignmentData(data: AssignmentData): Uint8Array {
  return Buffer.from(JSON.stringify({ version: VERSION, ...data }));
}

/** @throws MillraceError MILLRACE_PROTOCOL_ERROR when the member is no Millrace worker of a known version. */
export function decodeMemberData(memberId: string, bytes: Uint8Array): MemberData {
  const fields = parse(bytes);
  const transactionalId = fields?.['transactionalId'];
  const instanceId = fields?.['instanceId'];
  if (typeof transactionalId !== 'string' || typeof instanceId !== 'string') throw foreign(memberId);
  return {
    transactionalId,
    instanceId,
    tasks: texts(fields?.['tasks']),
    localTasks: texts(fields?.['localTasks']),
  };
}

export function decodeAssignmentData(bytes: Uint8Array): AssignmentData {
  const fields = parse(bytes);
  return {
    tasks: texts(fields?.['tasks']),
    live: texts(fields?.['live']),
    departed: texts(fields?.['departed']),
    givesUp: texts(fields?.['givesUp']),
    handover: fields?.['handover'] === true,
  };
}

function parse(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function texts<T extends string>(value: unknown): T[] {
  return Array.isArray(value) ? value.filter((item): item is T => typeof item === 'string') : [];
}

function foreign(memberId: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_PROTOCOL_ERROR',
    message: `Member "${memberId}" of the consumer group is not a Millrace worker.`,
    remedy: 'Use an application.id that no other consumer uses as its group id.',
    context: { memberId },
  });
}
