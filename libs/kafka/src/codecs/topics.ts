// Codecs of topic administration: CreateTopics, DeleteTopics, DeleteRecords, DescribeConfigs.
import type {
  CreateTopicsAnswer,
  CreateTopicsRequest,
  DeleteRecordsAnswer,
  DeleteRecordsRequest,
  DeleteTopicsAnswer,
  DeleteTopicsRequest,
  DescribeConfigsAnswer,
  DescribeConfigsRequest,
} from '#libs/broker';
import type { Codec } from './codec.ts';

const NO_TOPIC_ID = '0'.repeat(32);
/** ConfigResource.Type.TOPIC. */
const TOPIC_RESOURCE = 2;
/** DescribeConfigsResponse.ConfigSource.TOPIC_CONFIG: set on the topic itself. */
const TOPIC_CONFIG_SOURCE = 1;

export const createTopics: Codec<CreateTopicsRequest, CreateTopicsAnswer> = {
  name: 'CreateTopics',
  apiKey: 19,
  minVersion: 7,
  maxVersion: 7,
  encode(writer, request) {
    writer.array(request.topics, (topic) => {
      writer.string(topic.name).int32(topic.numPartitions).int16(topic.replicationFactor);
      writer.array([], () => undefined); // assignments: the broker's
      writer.array(topic.configs, (config) => {
        writer.string(config.name).nullableString(config.value).noTags();
      });
      writer.noTags();
    });
    writer.int32(request.timeoutMs).boolean(request.validateOnly).noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const topics = reader.array(() => {
      const name = reader.string();
      reader.uuid();
      const topic = { name, errorCode: reader.int16(), errorMessage: reader.nullableString() };
      reader.int32(); // partitions
      reader.int16(); // replication factor
      reader.nullableArray(() => {
        reader.string();
        reader.nullableString();
        reader.boolean();
        reader.int8();
        reader.boolean();
        reader.tags();
      });
      reader.tags();
      return topic;
    });
    reader.tags();
    return { topics };
  },
};

export const deleteTopics: Codec<DeleteTopicsRequest, DeleteTopicsAnswer> = {
  name: 'DeleteTopics',
  apiKey: 20,
  minVersion: 6,
  maxVersion: 6,
  encode(writer, request) {
    writer.array(request.names, (name) => {
      writer.nullableString(name).uuid(NO_TOPIC_ID).noTags();
    });
    writer.int32(request.timeoutMs).noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const topics = reader.array(() => {
      const name = reader.nullableString();
      reader.uuid();
      const topic = { name, errorCode: reader.int16(), errorMessage: reader.nullableString() };
      reader.tags();
      return topic;
    });
    reader.tags();
    return { topics };
  },
};

export const deleteRecords: Codec<DeleteRecordsRequest, DeleteRecordsAnswer> = {
  name: 'DeleteRecords',
  apiKey: 21,
  minVersion: 2,
  maxVersion: 2,
  encode(writer, request) {
    writer.array(request.topics, (topic) => {
      writer.string(topic.name);
      writer.array(topic.partitions, (partition) => {
        writer.int32(partition.partition).int64(partition.offset).noTags();
      });
      writer.noTags();
    });
    writer.int32(request.timeoutMs).noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const topics = reader.array(() => {
      const topic = {
        name: reader.string(),
        partitions: reader.array(() => {
          const partition = {
            partition: reader.int32(),
            lowWatermark: reader.int64(),
            errorCode: reader.int16(),
          };
          reader.tags();
          return partition;
        }),
      };
      reader.tags();
      return topic;
    });
    reader.tags();
    return { topics };
  },
};

export const describeConfigs: Codec<DescribeConfigsRequest, DescribeConfigsAnswer> = {
  name: 'DescribeConfigs',
  apiKey: 32,
  minVersion: 4,
  maxVersion: 4,
  encode(writer, request) {
    writer.array(request.topics, (topic) => {
      writer
        .int8(TOPIC_RESOURCE)
        .string(topic.name)
        .nullableArray(topic.keys, (key) => writer.string(key))
        .noTags();
    });
    writer.boolean(false).boolean(false).noTags();
  },
  decode(reader) {
    reader.int32(); // throttle time
    const topics = reader.array(() => {
      const errorCode = reader.int16();
      const errorMessage = reader.nullableString();
      reader.int8(); // resource type
      const name = reader.string();
      const configs = reader.array(() => {
        const config = { name: reader.string(), value: reader.nullableString() };
        reader.boolean(); // read only
        const isDefault = reader.int8() !== TOPIC_CONFIG_SOURCE;
        reader.boolean(); // sensitive
        reader.array(() => {
          reader.string();
          reader.nullableString();
          reader.int8();
          reader.tags();
        });
        reader.int8(); // type
        reader.nullableString(); // documentation
        reader.tags();
        return { ...config, isDefault };
      });
      reader.tags();
      return { name, errorCode, errorMessage, configs };
    });
    reader.tags();
    return { topics };
  },
};
