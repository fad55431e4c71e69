// Owns formatting the data directory of a KRaft broker.
// The plain case is remembered: the bootstrap records depend on nothing but release and features, so one JVM start per
// broker start is saved. Ids are fresh each time.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { MillraceError } from '#libs/core';

import type { LocalBrokerOptions } from './local-broker.ts';

export interface FormatRequest {
  readonly java: string;
  /** Folder of jars; it also keeps the remembered bootstrap records. */
  readonly libraries: string;
  readonly propertiesFile: string;
  readonly logDirectory: string;
  readonly options: LocalBrokerOptions;
}

export async function formatStorage(request: FormatRequest): Promise<void> {
  const { options, libraries, logDirectory } = request;
  const users = options.security?.sasl?.users ?? [];
  const checkpoint = join(logDirectory, 'bootstrap.checkpoint');
  const remembered = join(libraries, `bootstrap-${options.transactionVersion ?? 'default'}.checkpoint`);
  // Features also follow from some broker properties, and SCRAM users are part of the records.
  const plain = users.length === 0 && options.properties === undefined;
  if (plain && (await exists(remembered))) {
    await mkdir(logDirectory, { recursive: true });
    await copyFile(remembered, checkpoint);
    await writeFile(
      join(logDirectory, 'meta.properties'),
      `version=1\ncluster.id=${uuid()}\ndirectory.id=${uuid()}\nnode.id=1\n`,
    );
    return;
  }
  await runStorageTool(request);
  if (plain) {
    const part = `${remembered}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
    await copyFile(checkpoint, part);
    await rename(part, remembered);
  }
}

function runStorageTool({ java, libraries, propertiesFile, options }: FormatRequest): Promise<void> {
  const args = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(libraries, '*')];
  args.push('kafka.tools.StorageTool', 'format', '-t', uuid(), '-c', propertiesFile);
  if (options.transactionVersion !== undefined) {
    args.push('--feature', `transaction.version=${options.transactionVersion}`);
  }
  for (const { name, password } of options.security?.sasl?.users ?? []) {
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      args.push('--add-scram', `${mechanism}=[name=${name},password=${password}]`);
    }
  }
  return new Promise((resolve, reject) => {
    execFile(java, args, (error, stdout, stderr) => {
      if (error === null) {
        resolve();
        return;
      }
      reject(
        new MillraceError({
          code: 'MILLRACE_LOCAL_BROKER_FAILED',
          message: "Kafka's storage tool refused to format the data directory.",
          remedy: 'See the cause; often a property or a feature level that this Kafka release does not know.',
          cause: new Error((stdout + stderr).slice(-2000)),
        }),
      );
    });
  });
}

/** A random id in Kafka's spelling: 16 bytes, URL-safe base64, not starting with a dash. */
function uuid(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('base64url');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
