// Which way this machine has to a real Kafka broker for tests, in the order the project uses them:
// KAFKA_BROKERS, Docker, a JDK 17+ with Maven. Only looks; starts nothing.

import { spawnSync } from 'node:child_process';

const runs = (command, commandArguments) => {
  const { status, stdout, stderr } = spawnSync(command, commandArguments, {
    encoding: 'utf8',
    timeout: 10_000,
    shell: process.platform === 'win32',
  });
  return status === 0 ? `${stdout}${stderr}` : undefined;
};

function javaMajorVersion() {
  const java = process.env.JAVA_HOME === undefined ? 'java' : `${process.env.JAVA_HOME}/bin/java`;
  const output = runs(java, ['-version']) ?? runs('java', ['-version']);
  const version = output === undefined ? null : /version "(?:1\.)?(\d+)/.exec(output);
  return version === null ? 0 : Number(version[1]);
}

/** `{ road }` with one of 'KAFKA_BROKERS', 'Docker', 'JDK and Maven'; or `{ missing }`, a sentence with the remedy. */
export function findBrokerRoad() {
  if ((process.env.KAFKA_BROKERS ?? '') !== '') return { road: 'KAFKA_BROKERS' };
  if (runs('docker', ['info']) !== undefined) return { road: 'Docker' };
  if (javaMajorVersion() >= 17 && runs('mvn', ['--version']) !== undefined) return { road: 'JDK and Maven' };
  return { missing: 'no broker: set KAFKA_BROKERS, start Docker, or install a JDK 17+ and Maven' };
}
