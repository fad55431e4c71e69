// TopologyTestDriver, matchers and fixtures for users and for our own specs. Never imports libs/kafka or libs/nestjs.
export { TopologyTestDriver } from './topology-test-driver.ts';
export type { TopologyTestDriverOptions } from './topology-test-driver.ts';
export type { StateBackendFactory } from './instance.ts';
export { TestInputTopic, TestOutputTopic } from './test-topics.ts';
export type { InputTopicOptions, PipeOptions, TestInput } from './test-topics.ts';
export type { HeadersInput, TestRecord } from './test-records.ts';
export { TestStore } from './test-store.ts';
export type { StoreEntry } from './test-store.ts';
export { streamMatchers } from './matchers.ts';
export type { ExpectedRecord, ExpectedState, MatcherContext, MatcherOutcome } from './matchers.ts';
export { startKafka } from './start-kafka.ts';
export type { KafkaFixture, KafkaFixtureOptions, StartableKafkaContainer } from './start-kafka.ts';
export { startSchemaRegistry } from './start-schema-registry.ts';
export type { SchemaRegistryFixture } from './start-schema-registry.ts';
