// Owns which member of a group has which tasks, as the group's coordinator knows it. Nobody is asked but Kafka.
import { silentLogger, systemClock } from '#libs/core';
import type { Clock, Logger, TaskIdText, TopicPartition } from '#libs/core';
import { decodeAssignmentData } from '#libs/runtime';
import { connect } from '../connect.ts';
import type { KafkaConnection } from '../connect.ts';

export interface GroupTasksOptions {
  readonly kafka: KafkaConnection;
  readonly applicationId: string;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

export interface MemberTasks {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly active: readonly TaskIdText[];
  readonly standby: readonly TaskIdText[];
  readonly warmup: readonly TaskIdText[];
  /** Of a classic group. */
  readonly partitions: readonly TopicPartition[];
}

export interface GroupTasks {
  readonly applicationId: string;
  readonly type: 'classic' | 'streams';
  /** As Kafka names it. While it is not `Stable` nobody may have been assigned anything. */
  readonly state: string;
  readonly members: readonly MemberTasks[];
}

/** @throws MillraceError what stands between us and the brokers; MILLRACE_GROUP_TYPE_MISMATCH others assign tasks in this group. */
export async function groupTasks(options: GroupTasksOptions): Promise<GroupTasks> {
  const { applicationId, clock = systemClock, logger = silentLogger } = options;
  const client = connect(options.kafka, 'millrace-tasks', { clock, logger });
  try {
    const { type, state, members } = await client.admin.describeGroup(applicationId);
    return {
      ...{ applicationId, type, state },
      members: members.map(({ memberId, groupInstanceId, clientId, clientHost, ...member }) => {
        const tasks = member.tasks ?? decodeAssignmentData(member.userData ?? new Uint8Array(0));
        const { active, standby, warmup } = tasks;
        return {
          ...{ memberId, groupInstanceId, clientId, clientHost, active, standby, warmup },
          partitions: member.partitions,
        };
      }),
    };
  } finally {
    await client.close();
  }
}
