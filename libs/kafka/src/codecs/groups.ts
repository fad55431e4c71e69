// Codecs of the classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups.
import type {
  DescribeGroupsAnswer,
  DescribeGroupsRequest,
  HeartbeatAnswer,
  HeartbeatRequest,
  JoinGroupAnswer,
  JoinGroupRequest,
  LeaveGroupAnswer,
  LeaveGroupRequest,
  SyncGroupAnswer,
  SyncGroupRequest,
} from '#libs/broker';
import type { Codec } from './codec.ts';

export const joinGroup: Codec<JoinGroupRequest, JoinGroupAnswer> = {
  name: 'JoinGroup',
  apiKey: 11,
  minVersion: 9,
  maxVersion: 9,
  encode(writer, request) {
    writer
      .string(request.groupId)
      .int32(request.sessionTimeoutMs)
      .int32(request.rebalanceTimeoutMs)
      .string(request.memberId)
      .nullableString(request.groupInstanceId)
      .string(request.protocolType);
    writer.array(request.protocols, (protocol) => {
      writer.string(protocol.name).bytes(protocol.metadata).noTags();
    });
    writer.nullableString(request.reason).noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const errorCode = reader.int16();
    const generationId = reader.int32();
    reader.nullableString(); // protocol type
    const protocolName = reader.nullableString();
    const leader = reader.string();
    const skipAssignment = reader.boolean();
    const memberId = reader.string();
    const members = reader.array(() => {
      const member = {
        memberId: reader.string(),
        groupInstanceId: reader.nullableString(),
        metadata: reader.bytes(),
      };
      reader.tags();
      return member;
    });
    reader.tags();
    return { errorCode, generationId, protocolName, leader, memberId, skipAssignment, members };
  },
};

export const syncGroup: Codec<SyncGroupRequest, SyncGroupAnswer> = {
  name: 'SyncGroup',
  apiKey: 14,
  minVersion: 5,
  maxVersion: 5,
  encode(writer, request) {
    writer
      .string(request.groupId)
      .int32(request.generationId)
      .string(request.memberId)
      .nullableString(request.groupInstanceId)
      .nullableString(request.protocolType)
      .nullableString(request.protocolName);
    writer.array(request.assignments, (assignment) => {
      writer.string(assignment.memberId).bytes(assignment.assignment).noTags();
    });
    writer.noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const errorCode = reader.int16();
    reader.nullableString(); // protocol type
    reader.nullableString(); // protocol name
    const assignment = reader.bytes();
    reader.tags();
    return { errorCode, assignment };
  },
};

export const heartbeat: Codec<HeartbeatRequest, HeartbeatAnswer> = {
  name: 'Heartbeat',
  apiKey: 12,
  minVersion: 4,
  maxVersion: 4,
  encode(writer, request) {
    writer
      .string(request.groupId)
      .int32(request.generationId)
      .string(request.memberId)
      .nullableString(request.groupInstanceId)
      .noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const errorCode = reader.int16();
    reader.tags();
    return { errorCode };
  },
};

export const leaveGroup: Codec<LeaveGroupRequest, LeaveGroupAnswer> = {
  name: 'LeaveGroup',
  apiKey: 13,
  minVersion: 5,
  maxVersion: 5,
  encode(writer, request) {
    writer.string(request.groupId);
    writer.array(request.members, (member) => {
      writer
        .string(member.memberId)
        .nullableString(member.groupInstanceId)
        .nullableString(member.reason)
        .noTags();
    });
    writer.noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const errorCode = reader.int16();
    const members = reader.array(() => {
      const memberId = reader.string();
      reader.nullableString(); // group instance id
      const member = { memberId, errorCode: reader.int16() };
      reader.tags();
      return member;
    });
    reader.tags();
    return { errorCode, members };
  },
};

export const describeGroups: Codec<DescribeGroupsRequest, DescribeGroupsAnswer> = {
  name: 'DescribeGroups',
  apiKey: 15,
  minVersion: 5,
  maxVersion: 5,
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
        groupId: reader.string(),
        groupState: reader.string(),
        protocolType: reader.string(),
        protocolName: reader.string(),
        members: reader.array(() => {
          const member = {
            memberId: reader.string(),
            groupInstanceId: reader.nullableString(),
            clientId: reader.string(),
            clientHost: reader.string(),
            metadata: reader.bytes(),
            assignment: reader.bytes(),
          };
          reader.tags();
          return member;
        }),
      };
      reader.int32(); // authorized operations
      reader.tags();
      return group;
    });
    reader.tags();
    return { groups };
  },
};
