// Owns the broker's configuration: pure text from options and ports.
import type { LocalBrokerOptions, SaslUser } from './local-broker.ts';

export interface BrokerPorts {
  readonly plaintext: number;
  readonly controller: number;
  readonly proxyTarget: number;
  readonly proxyAdvertised: number;
  readonly ssl: number;
  readonly saslPlaintext: number;
  readonly saslSsl: number;
}

export const PORTS_NEEDED = 7;

export interface Keystore {
  readonly file: string;
  readonly password: string;
  /** PEM file of the authority that clients of the listener SSL need a certificate of. */
  readonly clientAuthorityFile?: string;
}

export function serverProperties(
  options: LocalBrokerOptions,
  ports: BrokerPorts,
  logDirectory: string,
  keystore: Keystore | undefined,
): string {
  const users = options.security?.sasl?.users;
  const listeners: [name: string, protocol: string, port: number, advertised: number][] = [
    ['PLAINTEXT', 'PLAINTEXT', ports.plaintext, ports.plaintext],
    ['PROXY', 'PLAINTEXT', ports.proxyTarget, ports.proxyAdvertised],
  ];
  if (hasTls(options)) listeners.push(['SSL', 'SSL', ports.ssl, ports.ssl]);
  if (users !== undefined) {
    listeners.push(['SASL_PLAINTEXT', 'SASL_PLAINTEXT', ports.saslPlaintext, ports.saslPlaintext]);
    if (keystore !== undefined) listeners.push(['SASL_SSL', 'SASL_SSL', ports.saslSsl, ports.saslSsl]);
  }
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: [
      ...listeners.map(([name, , port]) => `${name}://127.0.0.1:${port}`),
      `CONTROLLER://127.0.0.1:${ports.controller}`,
    ].join(','),
    'advertised.listeners': listeners
      .map(([name, , , advertised]) => `${name}://127.0.0.1:${advertised}`)
      .join(','),
    'listener.security.protocol.map': [
      ...listeners.map(([name, protocol]) => `${name}:${protocol}`),
      'CONTROLLER:PLAINTEXT',
    ].join(','),
    'log.dirs': logDirectory.replaceAll('\\', '/'),
    ...SINGLE_NODE_DEFAULTS,
    ...(users === undefined ? {} : saslProperties(users)),
    ...(keystore === undefined ? {} : tlsProperties(keystore)),
    ...aclProperties(options),
    ...options.properties,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${String(value).replaceAll('\\', '\\\\')}\n`)
    .join('');
}

export const SINGLE_NODE_DEFAULTS: Readonly<Record<string, string | number | boolean>> = {
  'auto.create.topics.enable': false,
  'default.replication.factor': 1,
  'min.insync.replicas': 1,
  // Internal topics: one replica, and few partitions, since each costs files when it is first used.
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 5,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 5,
  'share.coordinator.state.topic.replication.factor': 1,
  'share.coordinator.state.topic.min.isr': 1,
  'share.coordinator.state.topic.num.partitions': 1,
  // A group of one member need not wait for company, and tests want sessions shorter than 6 s.
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 500,
  // The same for groups whose tasks the broker assigns (KIP-1071). Their members cannot ask for a session: it is the broker's, 45 s by
  // default, or set for a group (kafka-configs.sh --entity-type groups).
  'group.streams.initial.rebalance.delay.ms': 0,
  'group.streams.assignment.interval.ms': 0,
  'group.streams.min.session.timeout.ms': 500,
  'group.streams.session.timeout.ms': 6_000,
  'group.streams.min.heartbeat.interval.ms': 100,
  'group.streams.heartbeat.interval.ms': 1_000,
  // A quarter of a 512 MB heap would go to the log cleaner's offset map otherwise.
  'log.cleaner.dedupe.buffer.size': 33_554_432,
  'controlled.shutdown.enable': false,
  // After a crash the controller takes the node back only when its old session has run out (default 9 s).
  'broker.session.timeout.ms': 2_000,
  'broker.heartbeat.interval.ms': 400,
};

/** Every mechanism on every SASL listener. SCRAM users are stored when the data directory is formatted. */
function saslProperties(users: readonly SaslUser[]): Record<string, string> {
  const module = (name: string, rest = ''): string =>
    `org.apache.kafka.common.security.${name} required${rest === '' ? '' : ` ${rest}`};`;
  const plainUsers = users.map(({ name, password }) => `user_${name}="${password}"`).join(' ');
  const properties: Record<string, string> = {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
  };
  for (const listener of ['sasl_plaintext', 'sasl_ssl']) {
    const prefix = `listener.name.${listener}`;
    properties[`${prefix}.plain.sasl.jaas.config`] = module('plain.PlainLoginModule', plainUsers);
    for (const size of [256, 512]) {
      properties[`${prefix}.scram-sha-${size}.sasl.jaas.config`] = module('scram.ScramLoginModule');
    }
    // Accepts unsigned tokens: the subject is whoever the token says it is.
    properties[`${prefix}.oauthbearer.sasl.jaas.config`] = module(
      'oauthbearer.OAuthBearerLoginModule',
      'unsecuredLoginStringClaim_sub="unused"',
    );
  }
  return properties;
}

/** Is there to be a TLS listener? */
export function hasTls({ security }: LocalBrokerOptions): boolean {
  return security?.tls !== undefined && security.tls !== false;
}

function tlsProperties({ file, password, clientAuthorityFile }: Keystore): Record<string, string> {
  return {
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': file.replaceAll('\\', '/'),
    'ssl.keystore.password': password,
    'ssl.key.password': password,
    ...(clientAuthorityFile === undefined
      ? {}
      : {
          'listener.name.ssl.ssl.client.auth': 'required',
          'listener.name.ssl.ssl.truststore.type': 'PEM',
          'listener.name.ssl.ssl.truststore.location': clientAuthorityFile.replaceAll('\\', '/'),
        }),
  };
}

function aclProperties(options: LocalBrokerOptions): Record<string, string | boolean> {
  const acls = options.security?.acls;
  if (acls === undefined) return {};
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': ['ANONYMOUS', ...(acls.superUsers ?? [])].map((name) => `User:${name}`).join(';'),
    'allow.everyone.if.no.acl.found': (acls.everyone ?? 'allowed') === 'allowed',
  };
}
