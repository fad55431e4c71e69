// Owns what a streams group's refusals and statuses mean for a member, as errors with a remedy.
import { FatalError } from '#libs/core';
import { errorName, KafkaError } from '../protocol/error-codes.ts';
import { refused } from '../protocol/errors.ts';

/** What StreamsGroupHeartbeat's answer may say of the group. */
export const StreamsStatus = {
  STALE_TOPOLOGY: 0,
  MISSING_SOURCE_TOPICS: 1,
  INCORRECTLY_PARTITIONED_TOPICS: 2,
  MISSING_INTERNAL_TOPICS: 3,
  SHUTDOWN_APPLICATION: 4,
  ASSIGNMENT_DELAYED: 5,
} as const;

const NOT_READY: readonly number[] = [
  StreamsStatus.MISSING_SOURCE_TOPICS,
  StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS,
  StreamsStatus.MISSING_INTERNAL_TOPICS,
  StreamsStatus.ASSIGNMENT_DELAYED,
];

export function isReady(statuses: readonly { readonly statusCode: number }[]): boolean {
  return !statuses.some(({ statusCode }) => NOT_READY.includes(statusCode));
}

export function streamsUnsupported(why: string): FatalError {
  return new FatalError({
    code: 'MILLRACE_STREAMS_PROTOCOL_UNSUPPORTED',
    message: `The cluster does not assign tasks (groupProtocol streams): ${why}.`,
    remedy:
      'Upgrade the brokers to Kafka 4.2 or later, finalise the feature streams.version 1 (kafka-features.sh) and keep "streams" in group.coordinator.rebalance.protocols, or use groupProtocol classic.',
  });
}

/** The group exists under another protocol. */
export function otherGroupType(groupId: string, what: string, code: number): FatalError {
  return new FatalError({
    code: 'MILLRACE_GROUP_TYPE_MISMATCH',
    message: `${what} was refused with ${errorName(code)}: the group "${groupId}" is of another type.`,
    remedy:
      'All instances of an application use the same groupProtocol: stop those of the other one, wait until the group is empty, then start again. A streams group stays one until it is deleted (kafka-streams-groups.sh --delete deletes its offsets too).',
    context: { groupId, kafkaError: errorName(code) },
  });
}

/** A refusal that no retry mends. */
export function heartbeatRefused(
  groupId: string,
  code: number,
  detail: string | null,
  joining: boolean,
): FatalError {
  const what = `StreamsGroupHeartbeat of group "${groupId}"`;
  switch (code) {
    case KafkaError.UNSUPPORTED_VERSION:
      return streamsUnsupported('its group coordinator refuses the protocol');
    case KafkaError.GROUP_ID_NOT_FOUND:
      return otherGroupType(groupId, what, code);
    case KafkaError.STREAMS_INVALID_TOPOLOGY:
    case KafkaError.STREAMS_INVALID_TOPOLOGY_EPOCH:
    case KafkaError.STREAMS_TOPOLOGY_FENCED:
      return topologyRefused(groupId, code, detail);
    case KafkaError.INVALID_REQUEST:
      // What a coordinator answers that holds another topology for the group.
      if (joining && /topology/i.test(detail ?? '')) return topologyRefused(groupId, code, detail);
      return refused(what, code, { groupId }, detail);
    default:
      return refused(what, code, { groupId }, detail);
  }
}

function topologyRefused(groupId: string, code: number, detail: string | null): FatalError {
  return new FatalError({
    code: 'MILLRACE_STREAMS_TOPOLOGY_REFUSED',
    message: `The group "${groupId}" refused the topology with ${errorName(code)}${detail ? ` (${detail})` : ''}.`,
    remedy:
      'A streams group keeps the topology it was created with. Run the same topology, use groupProtocol classic, or give the changed application a new application.id; kafka-streams-groups.sh --delete forgets the group and its offsets.',
    context: { groupId, kafkaError: errorName(code), detail },
  });
}

/** A status that ends the member; undefined: it goes on. */
export function statusFailure(groupId: string, code: number, detail: string): FatalError | undefined {
  switch (code) {
    case StreamsStatus.MISSING_SOURCE_TOPICS:
      return new FatalError({
        code: 'MILLRACE_TOPIC_MISSING',
        message: `The group "${groupId}" assigns nothing: ${detail}`,
        remedy: 'Create the topics, then start again.',
        context: { groupId, detail },
      });
    case StreamsStatus.INCORRECTLY_PARTITIONED_TOPICS:
      return new FatalError({
        code: 'MILLRACE_PARTITIONS_MISMATCH',
        message: `The group "${groupId}" assigns nothing: ${detail}`,
        remedy:
          'Give the topics the partition counts the topology needs; reset the application if its input was repartitioned.',
        context: { groupId, detail },
      });
    case StreamsStatus.SHUTDOWN_APPLICATION:
      return new FatalError({
        code: 'MILLRACE_SHUTDOWN_REQUESTED',
        message: `The application "${groupId}" was asked to stop: ${detail}`,
        remedy: 'Look for the error of the instance that asked for it.',
        context: { groupId, detail },
      });
    default:
      return undefined;
  }
}
