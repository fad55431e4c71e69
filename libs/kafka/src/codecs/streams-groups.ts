// Codecs of the streams rebalance protocol (KIP-1071): StreamsGroupHeartbeat, StreamsGroupDescribe.
import type {
  StreamsEndpoint,
  StreamsGroupAssignment,
  StreamsGroupDescribeAnswer,
  StreamsGroupDescribeRequest,
  StreamsGroupHeartbeatAnswer,
  StreamsGroupHeartbeatRequest,
  StreamsKeyValue,
  StreamsSubtopology,
  StreamsTaskIds,
  StreamsTaskOffset,
  StreamsTopicInfo,
  StreamsTopicPartitions,
} from '#libs/broker';
import type { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import type { Codec } from './codec.ts';

export const streamsGroupHeartbeat: Codec<StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatAnswer> = {
  name: 'StreamsGroupHeartbeat',
  apiKey: 88,
  minVersion: 0,
  maxVersion: 0,
  encode(writer, request) {
    writer
      .string(request.groupId)
      .string(request.memberId)
      .int32(request.memberEpoch)
      .int32(request.endpointInformationEpoch)
      .nullableString(request.instanceId)
      .nullableString(request.rackId)
      .int32(request.rebalanceTimeoutMs);
    writeNullable(writer, request.topology, (topology) => {
      writer.int32(topology.epoch);
      writer.array(topology.subtopologies, (subtopology) => writeSubtopology(writer, subtopology));
    });
    writeTasks(writer, request.activeTasks);
    writeTasks(writer, request.standbyTasks);
    writeTasks(writer, request.warmupTasks);
    writer.nullableString(request.processId);
    writeNullable(writer, request.userEndpoint, ({ host, port }) => {
      writer.string(host).int16(port > 0x7fff ? port - 0x10000 : port);
    });
    writer.nullableArray(request.clientTags, (tag) => writeKeyValue(writer, tag));
    writer.nullableArray(request.taskOffsets, (offset) => writeTaskOffset(writer, offset));
    writer.nullableArray(request.taskEndOffsets, (offset) => writeTaskOffset(writer, offset));
    writer.boolean(request.shutdownApplication).noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const answer = {
      errorCode: reader.int16(),
      errorMessage: reader.nullableString(),
      memberId: reader.string(),
      memberEpoch: reader.int32(),
      heartbeatIntervalMs: reader.int32(),
      acceptableRecoveryLag: reader.int32(),
      taskOffsetIntervalMs: reader.int32(),
      status: reader.nullableArray(() => {
        const status = { statusCode: reader.int8(), statusDetail: reader.string() };
        reader.tags();
        return status;
      }),
      activeTasks: reader.nullableArray(() => readTaskIds(reader)),
      standbyTasks: reader.nullableArray(() => readTaskIds(reader)),
      warmupTasks: reader.nullableArray(() => readTaskIds(reader)),
      endpointInformationEpoch: reader.int32(),
      partitionsByUserEndpoint: reader.nullableArray(() => {
        const entry = {
          userEndpoint: readEndpoint(reader),
          activePartitions: reader.array(() => readTopicPartitions(reader)),
          standbyPartitions: reader.array(() => readTopicPartitions(reader)),
        };
        reader.tags();
        return entry;
      }),
    };
    reader.tags();
    return answer;
  },
};

export const streamsGroupDescribe: Codec<StreamsGroupDescribeRequest, StreamsGroupDescribeAnswer> = {
  name: 'StreamsGroupDescribe',
  apiKey: 89,
  minVersion: 0,
  maxVersion: 0,
  encode(writer, request) {
    writer
      .array(request.groupIds, (groupId) => writer.string(groupId))
      .boolean(false)
      .noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const groups = reader.array(() => {
      const group = {
        errorCode: reader.int16(),
        errorMessage: reader.nullableString(),
        groupId: reader.string(),
        groupState: reader.string(),
        groupEpoch: reader.int32(),
        assignmentEpoch: reader.int32(),
        topology: readNullable(reader, () => ({
          epoch: reader.int32(),
          subtopologies: reader.nullableArray(() => readSubtopology(reader)),
        })),
        members: reader.array(() => readMember(reader)),
      };
      reader.int32(); // authorized operations
      reader.tags();
      return group;
    });
    reader.tags();
    return { groups };
  },
};

function readMember(reader: Reader): StreamsGroupDescribeAnswer['groups'][number]['members'][number] {
  const member = {
    memberId: reader.string(),
    memberEpoch: reader.int32(),
    instanceId: reader.nullableString(),
    rackId: reader.nullableString(),
    clientId: reader.string(),
    clientHost: reader.string(),
    topologyEpoch: reader.int32(),
    processId: reader.string(),
    userEndpoint: readNullable(reader, () => readEndpointFields(reader)),
    clientTags: reader.array(() => readKeyValue(reader)),
    taskOffsets: reader.array(() => readTaskOffset(reader)),
    taskEndOffsets: reader.array(() => readTaskOffset(reader)),
    assignment: readAssignment(reader),
    targetAssignment: readAssignment(reader),
    isClassic: reader.boolean(),
  };
  reader.tags();
  return member;
}

// --- parts ---------------------------------------------------------------------------------------------------

/** A structure that may be missing: one byte, -1 for none, then its fields and tags. */
function writeNullable<T>(writer: Writer, value: T | null, write: (value: T) => void): void {
  if (value === null) {
    writer.int8(-1);
    return;
  }
  writer.int8(1);
  write(value);
  writer.noTags();
}

function readNullable<T>(reader: Reader, read: () => T): T | null {
  if (reader.int8() < 0) return null;
  const value = read();
  reader.tags();
  return value;
}

function writeSubtopology(writer: Writer, subtopology: StreamsSubtopology): void {
  writer.string(subtopology.subtopologyId);
  writer.array(subtopology.sourceTopics, (topic) => writer.string(topic));
  writer.array([], () => undefined); // regular expressions: never used
  writer.array(subtopology.stateChangelogTopics, (topic) => writeTopicInfo(writer, topic));
  writer.array(subtopology.repartitionSinkTopics, (topic) => writer.string(topic));
  writer.array(subtopology.repartitionSourceTopics, (topic) => writeTopicInfo(writer, topic));
  writer.array(subtopology.copartitionGroups, (group) => {
    writer.array(group.sourceTopics, (index) => writer.int16(index));
    writer.array([], () => undefined);
    writer.array(group.repartitionSourceTopics, (index) => writer.int16(index)).noTags();
  });
  writer.noTags();
}

function readSubtopology(reader: Reader): Omit<StreamsSubtopology, 'copartitionGroups'> {
  const subtopology = {
    subtopologyId: reader.string(),
    sourceTopics: reader.array(() => reader.string()),
    repartitionSinkTopics: reader.array(() => reader.string()),
    stateChangelogTopics: reader.array(() => readTopicInfo(reader)),
    repartitionSourceTopics: reader.array(() => readTopicInfo(reader)),
  };
  reader.tags();
  return subtopology;
}

function writeTopicInfo(writer: Writer, topic: StreamsTopicInfo): void {
  writer.string(topic.name).int32(topic.partitions).int16(topic.replicationFactor);
  writer.array(topic.topicConfigs, (config) => writeKeyValue(writer, config)).noTags();
}

function readTopicInfo(reader: Reader): StreamsTopicInfo {
  const topic = {
    name: reader.string(),
    partitions: reader.int32(),
    replicationFactor: reader.int16(),
    topicConfigs: reader.array(() => readKeyValue(reader)),
  };
  reader.tags();
  return topic;
}

function writeTasks(writer: Writer, tasks: readonly StreamsTaskIds[] | null): void {
  writer.nullableArray(tasks, ({ subtopologyId, partitions }) => {
    writer
      .string(subtopologyId)
      .array(partitions, (partition) => writer.int32(partition))
      .noTags();
  });
}

function readTaskIds(reader: Reader): StreamsTaskIds {
  const tasks = { subtopologyId: reader.string(), partitions: reader.array(() => reader.int32()) };
  reader.tags();
  return tasks;
}

function readAssignment(reader: Reader): StreamsGroupAssignment {
  const assignment = {
    activeTasks: reader.array(() => readTaskIds(reader)),
    standbyTasks: reader.array(() => readTaskIds(reader)),
    warmupTasks: reader.array(() => readTaskIds(reader)),
  };
  reader.tags();
  return assignment;
}

function writeKeyValue(writer: Writer, { key, value }: StreamsKeyValue): void {
  writer.string(key).string(value).noTags();
}

function readKeyValue(reader: Reader): StreamsKeyValue {
  const pair = { key: reader.string(), value: reader.string() };
  reader.tags();
  return pair;
}

function writeTaskOffset(writer: Writer, offset: StreamsTaskOffset): void {
  writer.string(offset.subtopologyId).int32(offset.partition).int64(offset.offset).noTags();
}

function readTaskOffset(reader: Reader): StreamsTaskOffset {
  const offset = { subtopologyId: reader.string(), partition: reader.int32(), offset: reader.int64() };
  reader.tags();
  return offset;
}

function readEndpointFields(reader: Reader): StreamsEndpoint {
  return { host: reader.string(), port: reader.int16() & 0xffff };
}

function readEndpoint(reader: Reader): StreamsEndpoint {
  const endpoint = readEndpointFields(reader);
  reader.tags();
  return endpoint;
}

function readTopicPartitions(reader: Reader): StreamsTopicPartitions {
  const entry = { topic: reader.string(), partitions: reader.array(() => reader.int32()) };
  reader.tags();
  return entry;
}
