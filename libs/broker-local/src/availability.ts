// Owns the question which road leads to a broker on this machine. It starts nothing.
import { access } from 'node:fs/promises';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { brokersFromEnvironment } from './env-broker.ts';
import { findJava, findMaven, JAVA_VERSION_MIN } from './java-home.ts';
import { DEFAULT_KAFKA_VERSION } from './local-broker.ts';
import type { BrokerRoad, LocalBrokerOptions } from './local-broker.ts';
import { kafkaLibraries, librariesPresent } from './maven-libraries.ts';

export type BrokerAvailability =
  | { readonly road: BrokerRoad }
  /** `reasons`: why each road that was allowed is closed, a sentence each. */
  | { readonly road: undefined; readonly reasons: readonly string[] };

/** The first open road for a broker with these options. Takes some 50 ms and starts no broker. */
export async function brokerAvailability(options: LocalBrokerOptions = {}): Promise<BrokerAvailability> {
  const reasons: string[] = [];
  for (const road of roadsFor(options)) {
    const closed = await whyClosed(road, options.version ?? DEFAULT_KAFKA_VERSION);
    if (closed === undefined) return { road };
    reasons.push(closed);
  }
  return { road: undefined, reasons };
}

/** The roads that can satisfy the options, in the order they are tried. */
export function roadsFor(options: LocalBrokerOptions): readonly BrokerRoad[] {
  if (options.roads !== undefined) return options.roads;
  const ownBroker = options.security ?? options.properties ?? options.transactionVersion ?? options.dataDir;
  if (ownBroker !== undefined) return ['local'];
  return options.version === undefined ? ['env', 'docker', 'local'] : ['docker', 'local'];
}

async function whyClosed(road: BrokerRoad, version: string): Promise<string | undefined> {
  switch (road) {
    case 'env':
      return brokersFromEnvironment() === undefined ? 'KAFKA_BROKERS is not set.' : undefined;
    case 'docker':
      return whyNoDocker();
    case 'local':
      return whyNoJars(version);
  }
}

/** `undefined`: a Docker engine answers and Testcontainers is installed. */
export async function whyNoDocker(): Promise<string | undefined> {
  if (!(await dockerAnswers())) return 'No Docker engine answers.';
  const installed = await import('testcontainers').then(
    () => true,
    () => false,
  );
  return installed
    ? undefined
    : "A Docker engine answers, but the package 'testcontainers' is not installed.";
}

async function whyNoJars(version: string): Promise<string | undefined> {
  const java = await findJava();
  if (java === undefined) return 'There is no Java in JAVA_HOME or PATH.';
  if (java.majorVersion < JAVA_VERSION_MIN) {
    return `Java ${java.majorVersion} (${java.java}) is too old; Kafka needs ${JAVA_VERSION_MIN}.`;
  }
  if (await librariesPresent(`kafka-${version}`, kafkaLibraries(version))) return undefined;
  if ((await findMaven()) === undefined) {
    return `Maven (mvn), which fetches Apache Kafka ${version} the first time, is not in MAVEN_HOME or PATH.`;
  }
  return undefined;
}

/** Whether something accepts connections where the Docker engine is expected: a socket's connect, not a command. */
async function dockerAnswers(): Promise<boolean> {
  const host = process.env['DOCKER_HOST'];
  if (host?.startsWith('tcp://') === true) {
    const { hostname, port } = new URL(host);
    return accepts({ host: hostname, port: Number(port === '' ? 2375 : port) });
  }
  const paths =
    host?.startsWith('unix://') === true
      ? [host.slice('unix://'.length)]
      : process.platform === 'win32'
        ? ['\\\\.\\pipe\\docker_engine']
        : [
            '/var/run/docker.sock',
            join(homedir(), '.docker/run/docker.sock'),
            join(homedir(), '.colima/default/docker.sock'),
          ];
  for (const path of paths) {
    const present = await access(path).then(
      () => true,
      () => false,
    );
    if (present && (await accepts({ path }))) return true;
  }
  return false;
}

function accepts(target: { path: string } | { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
