// Owns group members for the suite: they share out the partitions of one topic evenly and remember what happened.
import type { GroupMember, GroupMemberHandler, GroupMemberOptions, GroupMetadata } from '#libs/broker';
import type { Bench } from './bench.ts';

export interface TestMember {
  readonly member: GroupMember;
  /** Partitions of the newest assignment. */
  owned(): readonly number[];
  /** The newest generation's metadata. */
  group(): GroupMetadata;
  assignments(): number;
  lost(): readonly string[];
  failed(): Error | undefined;
  /** Joins again and waits for the next assignment. */
  rejoin(): Promise<void>;
  leave(permanently?: boolean): Promise<void>;
}

export interface MemberOptions extends Partial<GroupMemberOptions> {
  readonly partitionCount?: number;
  readonly clientId?: string;
  /** Awaited within `onAssigned`. */
  readonly onAssigned?: () => Promise<void>;
}

export function startMember(
  bench: Bench,
  groupId: string,
  topic: string,
  options: MemberOptions = {},
): TestMember {
  const { partitionCount = 1, clientId, onAssigned, ...memberOptions } = options;
  let owned: readonly number[] = [];
  let group: GroupMetadata | undefined;
  let assignments = 0;
  let failed: Error | undefined;
  const lost: string[] = [];
  const handler: GroupMemberHandler = {
    beforeJoin: async () => ({ topics: [topic], ownedPartitions: [], userData: new Uint8Array([7]) }),
    assign: async (members) => {
      const ids = members.map((m) => m.groupInstanceId ?? m.memberId).sort();
      return new Map(
        members.map((m) => {
          const index = ids.indexOf(m.groupInstanceId ?? m.memberId);
          const partitions: { topic: string; partition: number }[] = [];
          for (let p = index; p < partitionCount; p += ids.length) partitions.push({ topic, partition: p });
          return [m.memberId, { partitions, userData: new Uint8Array([m.userData[0] ?? 0, 1]) }];
        }),
      );
    },
    onAssigned: async (assignment, metadata) => {
      owned = assignment.partitions.map((p) => p.partition);
      group = metadata;
      assignments++;
      await onAssigned?.();
    },
    onLost: async (reason) => {
      lost.push(reason);
      owned = [];
    },
    onFailed: (error) => {
      failed = error;
    },
  };
  const client = bench.newClient(clientId === undefined ? {} : { clientId });
  const member = client.createGroupMember(
    {
      groupId,
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 300,
      rebalanceTimeoutMs: 10_000,
      ...memberOptions,
    },
    handler,
  );
  member.start();
  return {
    member,
    owned: () => owned,
    group: () => group!,
    assignments: () => assignments,
    lost: () => lost,
    failed: () => failed,
    async rejoin() {
      const before = assignments;
      member.requestRejoin('the test asks for it');
      await bench.until(() => assignments > before, 'a new assignment');
    },
    leave: (permanently = false) => member.leave('the test ends', permanently),
  };
}

/** A member that has got its assignment. */
export async function joinAlone(
  bench: Bench,
  groupId: string,
  topic: string,
  options: MemberOptions = {},
): Promise<TestMember> {
  const member = startMember(bench, groupId, topic, options);
  await bench.until(() => member.assignments() > 0 || member.failed() !== undefined, 'the first assignment');
  return member;
}
