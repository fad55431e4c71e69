// Owns an application on a broker that authenticates and authorizes: its topics, its permissions, its input, and whether it did all its
// work. Source, repartition, changelog, sink and dead letters, exactly once. What is granted is the spec's.
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  Partitioners,
  ResourcePatternTypes,
  logLevel,
} from 'kafkajs';
import type { AclEntry, Admin, Producer } from 'kafkajs';
import { inspect } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { Consumed, FailurePolicy, Grouped, StreamsApplication, StreamsBuilder } from '#libs/millrace';
import type {
  KafkaConfig,
  LogFields,
  Logger,
  MillraceError,
  StreamsApplicationOptions,
} from '#libs/millrace';
import { Serdes } from '#libs/serde';
import type { Serde } from '#libs/serde';
import type { Topology } from '#libs/topology';
import { AUTHORITY } from '../../libs/control/test/certificates.ts';
import { uniqueName } from './broker.ts';
import type { SharedBroker } from './broker.ts';
import type { NeededPermission } from './permissions.ts';

/** Of those who come by mutual TLS with the certificate of libs/control/test/certificates.ts. */
export const MTLS_PRINCIPAL = 'User:CN=operator';
export const USER = { name: 'ada', password: 'correct-horse-battery' };
/** Names the user, knows every mechanism. */
export const SECURED = {
  security: { tls: { clientAuthority: AUTHORITY }, sasl: { users: [USER] }, acls: { everyone: 'denied' } },
} as const;

export interface Grant {
  readonly resourceType: NeededPermission['resourceType'];
  readonly patternType: NeededPermission['patternType'];
  readonly resourceName: string;
  readonly operation: NeededPermission['operation'] | 'Describe';
}

const OPERATIONS = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Create: AclOperationTypes.CREATE,
  Delete: AclOperationTypes.DELETE,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
};
const RESOURCES = {
  Topic: AclResourceTypes.TOPIC,
  Group: AclResourceTypes.GROUP,
  TransactionalId: AclResourceTypes.TRANSACTIONAL_ID,
};

/** Of a broker, as somebody who may do all. One for a spec file. */
export class SecurityOfficer {
  readonly broker: () => SharedBroker;
  private opened: Promise<{ readonly admin: Admin; readonly producer: Producer }> | null = null;

  constructor(broker: () => SharedBroker) {
    this.broker = broker;
  }

  private open(): Promise<{ readonly admin: Admin; readonly producer: Producer }> {
    this.opened ??= (async () => {
      const kafka = this.kafka();
      const admin = kafka.admin();
      const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
      await Promise.all([admin.connect(), producer.connect()]);
      return { admin, producer };
    })();
    return this.opened;
  }

  kafka(): Kafka {
    return new Kafka({ brokers: [...this.broker().bootstrapServers], logLevel: logLevel.NOTHING });
  }

  async close(): Promise<void> {
    const opened = await this.opened;
    await Promise.all([opened?.admin.disconnect(), opened?.producer.disconnect()]);
  }

  async createTopics(...topics: string[]): Promise<void> {
    const { admin } = await this.open();
    await admin.createTopics({
      topics: topics.map((topic) => ({ topic, numPartitions: 1 })),
      waitForLeaders: false,
    });
    for (const topic of topics) await this.end(topic);
  }

  async topicConfig(topic: string, name: string, value: string): Promise<void> {
    const { admin } = await this.open();
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: topic, configEntries: [{ name, value }] }],
    });
  }

  /** Resolves once the broker goes by it. */
  grant(...grants: Grant[]): Promise<void> {
    return this.grantTo(`User:${USER.name}`, ...grants);
  }

  async grantTo(principal: string, ...grants: Grant[]): Promise<void> {
    const { admin } = await this.open();
    const acl = grants.map((each) => ({ ...entryOf(each), principal }));
    await admin.createAcls({ acl });
    for (const entry of acl) {
      for (;;) {
        const { resources } = await admin.describeAcls({ ...entry });
        if (resources.length > 0) break;
        await delay(5);
      }
    }
  }

  async revoke(...grants: Grant[]): Promise<void> {
    const { admin } = await this.open();
    const acl = grants.map(entryOf);
    await admin.deleteAcls({ filters: acl });
    for (const entry of acl) {
      for (;;) {
        const { resources } = await admin.describeAcls({ ...entry });
        if (resources.length === 0) break;
        await delay(5);
      }
    }
  }

  async produce(topic: string, values: readonly unknown[]): Promise<void> {
    const { producer } = await this.open();
    const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
    await producer.send({ topic, messages: values.map((value) => ({ key: 'k', value: text(value) })) });
  }

  /** Leaves a transaction open that holds an offset of the group, as a worker that died in it would. */
  async leaveTransaction(transactionalId: string, groupId: string, topic: string): Promise<void> {
    const producer = this.kafka().producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.sendOffsets({
      consumerGroupId: groupId,
      topics: [{ topic, partitions: [{ partition: 0, offset: '0' }] }],
    });
    await producer.disconnect();
  }

  /** Where the log of partition 0 ends, markers of transactions included, and where it begins. */
  async end(topic: string): Promise<{ readonly low: number; readonly high: number }> {
    const { admin } = await this.open();
    const deadline = performance.now() + OFFSETS_MS;
    let cause: unknown;
    for (;;) {
      // A topic that has just been made, or is made only now, may have no leader yet.
      const offsets = await admin.fetchTopicOffsets(topic).catch((error: unknown) => {
        cause = error;
        return [];
      });
      const first = offsets[0];
      if (first !== undefined) return { low: Number(first.low), high: Number(first.high) };
      if (performance.now() > deadline)
        throw new Error(`the ends of ${topic} are not known after ${OFFSETS_MS} ms`, { cause });
      await delay(20);
    }
  }
}

function entryOf({ resourceType, patternType, resourceName, operation }: Grant): AclEntry {
  return {
    principal: `User:${USER.name}`,
    host: '*',
    operation: OPERATIONS[operation],
    permissionType: AclPermissionTypes.ALLOW,
    resourceType: RESOURCES[resourceType],
    resourceName,
    resourcePatternType:
      patternType === 'prefixed' ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
  };
}

export interface LoggedLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

/** A topic has its leader by then. */
const OFFSETS_MS = 30_000;
/** An application that is neither refused nor done by then stands still. */
const FAILURE_MS = 45_000;

/** Keeps all that is logged, at every level, in `lines`. */
export function createRecordingLogger(lines: LoggedLine[]): Logger {
  const keep =
    (level: string) =>
    (message: string, fields?: LogFields): void => {
      lines.push({ level, message, fields });
    };
  return { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}

/** One application with names of its own. It can be started several times, one after the other. */
export class SecuredApplication {
  readonly applicationId = uniqueName('app');
  readonly input = uniqueName('in');
  readonly output = uniqueName('out');
  readonly deadLetters = uniqueName('dead');
  readonly lines: LoggedLine[] = [];
  private readonly officer: SecurityOfficer;
  private running: StreamsApplication | null = null;

  constructor(officer: SecurityOfficer) {
    this.officer = officer;
  }

  get repartition(): string {
    return `${this.applicationId}-by-user-repartition`;
  }

  get changelog(): string {
    return `${this.applicationId}-sums-changelog`;
  }

  get state(): string {
    return this.running?.state ?? 'NOT_RUNNING';
  }

  /** What was logged since the last start and has `text` in its message or fields. */
  logged(text: string): LoggedLine[] {
    return this.lines.filter(
      ({ message, fields }) => message.includes(text) || inspect(fields).includes(text),
    );
  }

  /** With the names of this application. */
  named({ resourceName, resourceType, patternType, operation }: NeededPermission): Grant {
    return { resourceType, patternType, resourceName: this.withNames(resourceName), operation };
  }

  withNames(text: string): string {
    return text
      .replace('<application.id>', this.applicationId)
      .replace('<input topic>', this.input)
      .replace('<output topic>', this.output)
      .replace('<dead letter topic>', this.deadLetters);
  }

  async createTopics(): Promise<void> {
    await this.officer.createTopics(this.input, this.output, this.deadLetters);
  }

  /** As an operator who lets the application create nothing. */
  async createInternalTopics(): Promise<void> {
    await this.officer.createTopics(this.repartition, this.changelog);
    await this.officer.topicConfig(this.changelog, 'cleanup.policy', 'compact');
    await this.officer.topicConfig(this.repartition, 'retention.ms', '-1');
  }

  /** SASL_SSL, SCRAM-SHA-512. */
  get connection(): KafkaConfig {
    const { endpoints, certificate } = this.officer.broker();
    return {
      brokers: [endpoints.saslSsl!],
      ssl: { ca: certificate! },
      sasl: { mechanism: 'scram-sha-512', username: USER.name, password: USER.password },
    };
  }

  async start(options: Partial<StreamsApplicationOptions> = {}): Promise<StreamsApplication> {
    this.lines.length = 0;
    const application = this.create(options);
    this.running = application;
    await application.start();
    return application;
  }

  /** Not started. */
  create(options: Partial<StreamsApplicationOptions> = {}): StreamsApplication {
    return new StreamsApplication({
      applicationId: this.applicationId,
      instanceId: 'one',
      kafka: this.connection,
      topology: () => this.topology(),
      state: 'memory',
      commitIntervalMs: 20,
      heartbeatIntervalMs: 300,
      sessionTimeoutMs: 6_000,
      logger: createRecordingLogger(this.lines),
      ...options,
    });
  }

  async stop(): Promise<void> {
    await this.running?.stop();
    this.running = null;
  }

  /** One good record and one that is not JSON. */
  async give(): Promise<void> {
    await this.officer.produce(this.input, [{ user: 'grace', amount: 1 }, 'not json']);
  }

  /** Runs until the application has failed. @throws that it did all its work. */
  async failure(options: Partial<StreamsApplicationOptions> = {}): Promise<MillraceError> {
    const before = (await this.officer.end(this.output)).high;
    const deadline = performance.now() + FAILURE_MS;
    try {
      const application = await this.start(options);
      while (application.error === null) {
        if (await this.isDone(before)) throw new Error('it did all its work');
        if (performance.now() > deadline) throw new Error(this.standstill(application));
        await delay(20);
      }
      return application.error;
    } catch (error) {
      if (error instanceof Error && 'code' in error) return error as MillraceError;
      throw error;
    } finally {
      await this.stop();
    }
  }

  private standstill(application: StreamsApplication): string {
    const { state, tasks, rebalances } = application.insight();
    const last = this.lines
      .slice(-40)
      .map(({ level, message, fields }) => `${level} ${message} ${inspect(fields)}`);
    return `for ${FAILURE_MS} ms it neither fails nor works: ${JSON.stringify({ state, tasks, rebalances })}\n${last.join('\n')}`;
  }

  /** Runs until all its work is done. @throws what it failed with. */
  async work(options: Partial<StreamsApplicationOptions> = {}): Promise<void> {
    const before = (await this.officer.end(this.output)).high;
    const application = await this.start(options);
    await this.done(before + 1, application);
    await this.stop();
  }

  /** Resolves once the output has so many records and the bad one is among the dead letters. @throws what it failed with */
  async done(outputEnd: number, application = this.running): Promise<void> {
    while (!(await this.isDone(outputEnd - 1))) {
      if (application !== null && application.error !== null) throw application.error;
      await delay(20);
    }
  }

  private async isDone(before: number): Promise<boolean> {
    const [output, dead] = await Promise.all([
      this.officer.end(this.output),
      this.officer.end(this.deadLetters),
    ]);
    return output.high > before && dead.high > 0;
  }

  /** Reads the same, and keeps nothing. */
  stateless(): Topology {
    const text = Serdes.string();
    const json = Serdes.json<{ user: string; amount: number }>();
    const builder = new StreamsBuilder();
    builder
      .stream<string, { user: string; amount: number }>(
        this.input,
        Consumed.with(text, json, { failurePolicy: FailurePolicy.deadLetter(this.deadLetters) }),
      )
      .to(this.output, { keySerde: text, valueSerde: json });
    return builder.build();
  }

  /** `serde`: of the values between selecting the key and summing up. */
  topology(serde: Serde<{ user: string; amount: number }> = Serdes.json()): Topology {
    const text = Serdes.string();
    const json = Serdes.json<{ user: string; amount: number }>();
    const builder = new StreamsBuilder();
    builder
      .stream<string, { user: string; amount: number }>(
        this.input,
        Consumed.with(text, json, { failurePolicy: FailurePolicy.deadLetter(this.deadLetters) }),
      )
      .selectKey((_key, { user }) => user)
      .groupByKey(Grouped.with(text, serde, { name: 'by-user' }))
      .aggregate(
        () => 0,
        (_user, { amount }, sum) => sum + amount,
        { name: 'sums', keySerde: text, valueSerde: Serdes.json<number>() },
      )
      .toStream()
      .to(this.output, { keySerde: text, valueSerde: Serdes.json<number>() });
    return builder.build();
  }
}
