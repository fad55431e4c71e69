// Codecs of Metadata and FindCoordinator.
import type {
  FindCoordinatorAnswer,
  FindCoordinatorRequest,
  MetadataAnswer,
  MetadataRequest,
} from '#libs/broker';
import { MalformedFrame } from '../wire/reader.ts';
import type { Codec } from './codec.ts';

const NO_TOPIC_ID = '0'.repeat(32);

export const metadata: Codec<MetadataRequest, MetadataAnswer> = {
  name: 'Metadata',
  apiKey: 3,
  minVersion: 12,
  maxVersion: 12,
  encode(writer, request) {
    writer.nullableArray(request.topics, (name) => {
      writer.uuid(NO_TOPIC_ID).nullableString(name).noTags();
    });
    // Topics are never created by asking for them.
    writer.boolean(false).boolean(false).noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const brokers = reader.array(() => {
      const broker = {
        nodeId: reader.int32(),
        host: reader.string(),
        port: reader.int32(),
        rack: reader.nullableString(),
      };
      reader.tags();
      return broker;
    });
    const clusterId = reader.nullableString();
    const controllerId = reader.int32();
    const topics = reader.array(() => {
      const topic = {
        errorCode: reader.int16(),
        name: reader.nullableString() ?? '',
        topicId: reader.uuid(),
        isInternal: reader.boolean(),
        partitions: reader.array(() => {
          const partition = {
            errorCode: reader.int16(),
            partition: reader.int32(),
            leaderId: reader.int32(),
            leaderEpoch: reader.int32(),
            replicaNodes: reader.array(() => reader.int32()),
            isrNodes: reader.array(() => reader.int32()),
          };
          reader.array(() => reader.int32()); // offline replicas
          reader.tags();
          return partition;
        }),
      };
      reader.int32(); // authorized operations
      reader.tags();
      return topic;
    });
    reader.tags();
    return { clusterId, controllerId, brokers, topics };
  },
};

export const findCoordinator: Codec<FindCoordinatorRequest, FindCoordinatorAnswer> = {
  name: 'FindCoordinator',
  apiKey: 10,
  minVersion: 6,
  maxVersion: 6,
  encode(writer, request) {
    writer
      .int8(request.keyType === 'group' ? 0 : 1)
      .array([request.key], (key) => writer.string(key))
      .noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const coordinators = reader.array(() => {
      reader.string(); // key
      const nodeId = reader.int32();
      const host = reader.string();
      const port = reader.int32();
      const errorCode = reader.int16();
      const errorMessage = reader.nullableString();
      reader.tags();
      return { errorCode, errorMessage, nodeId, host, port };
    });
    reader.tags();
    const coordinator = coordinators[0];
    if (coordinator === undefined) throw new MalformedFrame('no coordinator is named for the one key asked');
    return coordinator;
  },
};
