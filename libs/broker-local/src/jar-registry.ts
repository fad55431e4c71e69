// Owns a schema registry that runs from Apicurio's archive: loopback, a random free port, its schemas in a temporary H2 file, so that
// they outlive a kill of the process.
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { MillraceError } from '#libs/core';

import { freePorts } from './free-ports.ts';
import { findJavaOf } from './java-home.ts';
import type { LocalBrokerProgress } from './local-broker.ts';
import { DEFAULT_REGISTRY_VERSION, REGISTRY_JAVA_VERSION_MIN } from './local-registry.ts';
import type { LocalRegistry, LocalRegistryOptions } from './local-registry.ts';
import { ensureMavenLibraries, registryLibraries } from './maven-libraries.ts';
import { SupervisedProcess } from './supervised-process.ts';
import { SupervisedServer } from './supervised-server.ts';

const READY_LINE = 'Listening on: http';
const PORT_TAKEN = /already bound|Address already in use|may already be in use/;
const START_ATTEMPTS = 3;

/** @throws MillraceError MILLRACE_LOCAL_REGISTRY_FAILED with the end of its log. */
export async function startJarRegistry(
  options: LocalRegistryOptions,
  onProgress: (progress: LocalBrokerProgress) => void,
): Promise<LocalRegistry> {
  const version = options.version ?? DEFAULT_REGISTRY_VERSION;
  const folder = await ensureMavenLibraries(
    `apicurio-registry-${version}`,
    registryLibraries(version),
    onProgress,
    'unpack',
  );
  const java = (await findJavaOf(REGISTRY_JAVA_VERSION_MIN))?.java ?? 'java';
  const temporary = await mkdtemp(join(tmpdir(), 'millrace-registry-'));
  const supervised = new SupervisedProcess(temporary);
  try {
    for (let attempt = 1; ; attempt++) {
      const [port = 0] = await freePorts(1);
      const log = join(temporary, `registry-${attempt}.log`);
      const data = join(temporary, `data-${attempt}`, 'schemas');
      const args = javaArguments(options, port, data, join(folder, 'quarkus-run.jar'));
      const registry = new JarRegistry({ options, version, java, args, port, log, supervised });
      try {
        await registry.start();
        return registry;
      } catch (error) {
        const text = await readFile(log, 'utf8').catch(() => '');
        if (attempt === START_ATTEMPTS || !PORT_TAKEN.test(text)) throw error;
      }
    }
  } catch (error) {
    await supervised.close();
    throw error;
  }
}

function javaArguments(options: LocalRegistryOptions, port: number, data: string, jar: string): string[] {
  const properties: Record<string, string | number | boolean> = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    // Health and metrics would be on every interface's port 9000 otherwise.
    'quarkus.management.host': '127.0.0.1',
    'quarkus.management.port': 0,
    // What was answered is on the disk when the process is killed.
    'apicurio.datasource.url': `jdbc:h2:file:${data.replaceAll('\\', '/')};WRITE_DELAY=0`,
    ...options.properties,
  };
  return [
    `-Xmx${options.heapMegabytes ?? 192}m`,
    // It is started often and serves little: what the best compiler would do for it costs more than it gives.
    ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError', '-Xshare:auto'],
    ...Object.entries(properties).map(([key, value]) => `-D${key}=${String(value)}`),
    ...['-jar', jar],
  ];
}

interface JarRegistryParts {
  readonly options: LocalRegistryOptions;
  readonly version: string;
  readonly java: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly log: string;
  readonly supervised: SupervisedProcess;
}

class JarRegistry extends SupervisedServer implements LocalRegistry {
  readonly source = 'local';
  readonly url: string;
  readonly version: string;
  readonly logFile: string;
  readonly #parts: JarRegistryParts;

  constructor(parts: JarRegistryParts) {
    super(parts.supervised, 'registry');
    this.#parts = parts;
    this.url = `http://127.0.0.1:${parts.port}/apis/ccompat/v7`;
    this.version = parts.version;
    this.logFile = parts.log;
  }

  async start(): Promise<void> {
    const { options, java, args, log, supervised } = this.#parts;
    const before = (await readFile(log, 'utf8').catch(() => '')).length;
    await supervised.start(java, args, log);
    const deadline = Date.now() + (options.startTimeoutMs ?? 120_000);
    let ended = false;
    const exited = supervised.exited.then(() => {
      ended = true;
    });
    for (;;) {
      const text = (await readFile(log, 'utf8')).slice(before);
      if (text.includes(READY_LINE)) return;
      if (ended || Date.now() > deadline) {
        await supervised.end('SIGKILL');
        throw new MillraceError({
          code: 'MILLRACE_LOCAL_REGISTRY_FAILED',
          message: `The schema registry ${this.version} ${ended ? 'ended while it started' : 'did not come up in time'}.`,
          remedy: 'Read the end of its log in the cause.',
          cause: new Error(text.slice(-3000)),
        });
      }
      await Promise.race([delay(100), exited]);
    }
  }
}
