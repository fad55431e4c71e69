// Owns what a member of a streams group is from its first heartbeat to its last, and the check of it.
import { MillraceError } from '#libs/core';
import type { StreamsEndpoint, StreamsTopology } from '../rpc/index.ts';

export interface StreamsMemberSettings {
  readonly groupId: string;
  readonly memberId: string;
  readonly processId: string;
  readonly topology: StreamsTopology;
  readonly rebalanceTimeoutMs: number;
  readonly rackId: string | null;
  readonly userEndpoint: StreamsEndpoint | null;
  readonly clientTags: Readonly<Record<string, string>>;
}

/** 16 random bytes in Kafka's spelling. */
export function randomId(random: () => number): string {
  const bytes = Buffer.alloc(16);
  for (let index = 0; index < bytes.length; index++) bytes[index] = Math.floor(random() * 256);
  // Never a dash first: command line tools would take it for an option.
  bytes[0] = bytes[0]! & 0x7f;
  return bytes.toString('base64url');
}

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function validateSettings({ groupId, memberId, processId, topology }: StreamsMemberSettings): void {
  const problem =
    groupId === ''
      ? '`groupId` is empty'
      : memberId === ''
        ? '`memberId` is empty'
        : processId === ''
          ? '`processId` is empty'
          : topology.subtopologies.length === 0
            ? 'the topology has no sub-topologies'
            : undefined;
  if (problem === undefined) return;
  throw new MillraceError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `The options of the streams group are not usable: ${problem}.`,
    remedy: 'Give the group an id and a topology that reads at least one topic.',
    context: { groupId },
  });
}
