// libs/broker-local: finds or starts a real broker for development and tests, and runs Kafka's own Java tools against
// it. It never talks the Kafka protocol itself and no production path imports it.
export type {
  BrokerRoad,
  LocalBroker,
  LocalBrokerOptions,
  LocalBrokerProgress,
  RestartOptions,
  SaslMechanism,
  SaslUser,
  SecurityOptions,
  TlsListenerOptions,
} from './local-broker.ts';
export { DEFAULT_KAFKA_VERSION } from './local-broker.ts';
export { startLocalBroker } from './start-local-broker.ts';
export { brokerAvailability } from './availability.ts';
export type { BrokerAvailability } from './availability.ts';
export { javaTool, spawnJavaTool } from './java-tool.ts';
export type { JavaToolOptions, JavaToolResult } from './java-tool.ts';
export { consumeWithJavaConsole } from './java-console-consumer.ts';
export type { ConsoleConsumerOptions, ConsoleRecord } from './java-console-consumer.ts';
export { cacheDirectory, ensureMavenLibraries } from './maven-libraries.ts';
export { findJava, findMaven } from './java-home.ts';
export type { MavenLibrary } from './maven-libraries.ts';
export { progressLine } from './progress.ts';
export { freePorts } from './free-ports.ts';
export { startLocalRegistry, registryAvailability } from './start-local-registry.ts';
export type { RegistryAvailability } from './start-local-registry.ts';
export { DEFAULT_REGISTRY_VERSION } from './local-registry.ts';
export type { LocalRegistry, LocalRegistryOptions, RegistryRoad } from './local-registry.ts';
export { createCertificate } from './certificate.ts';
