// Owns a broker that runs from Apache Kafka's jars: KRaft in combined mode, one node, loopback, random free ports.
import { mkdtemp, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { MillraceError } from '#libs/core';

import { createCertificate } from './certificate.ts';
import { formatStorage } from './format-storage.ts';
import { freePorts } from './free-ports.ts';
import { findJava } from './java-home.ts';
import { DEFAULT_KAFKA_VERSION } from './local-broker.ts';
import type { LocalBroker, LocalBrokerOptions, LocalBrokerProgress } from './local-broker.ts';
import { ensureMavenLibraries, kafkaLibraries } from './maven-libraries.ts';
import { hasTls, PORTS_NEEDED, serverProperties } from './server-properties.ts';
import type { BrokerPorts, Keystore } from './server-properties.ts';
import { SupervisedProcess } from './supervised-process.ts';
import { SupervisedServer } from './supervised-server.ts';

const READY_LINE = 'Kafka Server started';
const PORT_TAKEN_LINE = 'Address already in use';
const START_ATTEMPTS = 3;

/** @throws MillraceError MILLRACE_LOCAL_BROKER_FAILED with the end of the broker's log. */
export async function startJarBroker(
  options: LocalBrokerOptions,
  onProgress: (progress: LocalBrokerProgress) => void,
): Promise<LocalBroker> {
  const version = options.version ?? DEFAULT_KAFKA_VERSION;
  const libraries = await ensureMavenLibraries(`kafka-${version}`, kafkaLibraries(version), onProgress);
  const java = (await findJava())?.java ?? 'java';
  const folder = await mkdtemp(join(tmpdir(), 'millrace-broker-'));
  const supervised = new SupervisedProcess(folder);
  try {
    const tls = options.security?.tls;
    const authority = typeof tls === 'object' ? tls.clientAuthority : undefined;
    const { keystore, certificate } = hasTls(options)
      ? await createCertificate(folder, authority)
      : NO_CERTIFICATE;
    for (let attempt = 1; ; attempt++) {
      const files: BrokerFiles = {
        properties: join(folder, 'server.properties'),
        log: join(folder, 'broker.log'),
        data: options.dataDir ?? join(folder, `data-${attempt}`),
      };
      const ports = await choosePorts();
      await prepare({ java, libraries, options, files, ports, keystore });
      const broker = new JarBroker({
        java,
        libraries,
        options,
        version,
        files,
        ports,
        certificate,
        supervised,
      });
      try {
        await broker.start();
        return broker;
      } catch (error) {
        if (attempt === START_ATTEMPTS || !(await portWasTaken(files.log))) throw error;
      }
    }
  } catch (error) {
    await supervised.close();
    throw error;
  }
}

const NO_CERTIFICATE = { keystore: undefined, certificate: undefined };

interface BrokerFiles {
  readonly properties: string;
  readonly log: string;
  readonly data: string;
}

interface JarBrokerParts {
  readonly java: string;
  readonly libraries: string;
  readonly options: LocalBrokerOptions;
  readonly version: string;
  readonly files: BrokerFiles;
  readonly ports: BrokerPorts;
  readonly certificate: string | undefined;
  readonly supervised: SupervisedProcess;
}

class JarBroker extends SupervisedServer implements LocalBroker {
  readonly source = 'local';
  readonly version: string;
  readonly bootstrapServers: readonly string[];
  readonly endpoints: LocalBroker['endpoints'];
  readonly proxyListener: LocalBroker['proxyListener'];
  readonly certificate: string | undefined;
  readonly logFile: string;
  readonly dataDir: string;
  readonly #parts: JarBrokerParts;

  constructor(parts: JarBrokerParts) {
    super(parts.supervised, 'broker');
    const { ports, options, files } = parts;
    const tls = hasTls(options);
    const sasl = options.security?.sasl !== undefined;
    this.#parts = parts;
    this.version = parts.version;
    this.endpoints = {
      plaintext: address(ports.plaintext),
      ...(tls ? { ssl: address(ports.ssl) } : {}),
      ...(sasl ? { saslPlaintext: address(ports.saslPlaintext) } : {}),
      ...(sasl && tls ? { saslSsl: address(ports.saslSsl) } : {}),
    };
    this.bootstrapServers = [this.endpoints.plaintext];
    this.proxyListener = { target: address(ports.proxyTarget), advertisedPort: ports.proxyAdvertised };
    this.certificate = parts.certificate;
    this.logFile = files.log;
    this.dataDir = files.data;
  }

  async start(): Promise<void> {
    const { java, libraries, options, files, supervised } = this.#parts;
    const heap = options.heapMegabytes ?? 512;
    const offset = await sizeOf(files.log);
    await supervised.start(
      java,
      [
        `-Xmx${heap}m`,
        ...[
          '-XX:+UseG1GC',
          '-XX:MaxGCPauseMillis=20',
          '-XX:+ExitOnOutOfMemoryError',
          '-Djava.awt.headless=true',
        ],
        '-Dorg.slf4j.simpleLogger.showDateTime=true',
        '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
        ...['-cp', join(libraries, '*'), 'kafka.Kafka', files.properties],
      ],
      files.log,
    );
    const deadline = Date.now() + (options.startTimeoutMs ?? 60_000);
    let ended = false;
    const exited = supervised.exited.then(() => {
      ended = true;
    });
    for (;;) {
      const log = await readFrom(files.log, offset);
      if (log.includes(READY_LINE)) return;
      if (ended || Date.now() > deadline) {
        await supervised.end('SIGKILL');
        throw new MillraceError({
          code: 'MILLRACE_LOCAL_BROKER_FAILED',
          message: `The Kafka ${this.version} broker ${ended ? 'ended while it started' : 'did not come up in time'}.`,
          remedy: 'Read the end of its log in the cause.',
          cause: new Error(log.slice(-3000)),
        });
      }
      await Promise.race([delay(40), exited]);
    }
  }

  override async stop(): Promise<void> {
    // Kept data deserves a clean shutdown; a temporary directory does not need the two seconds.
    if (this.#parts.options.dataDir !== undefined) await this.#parts.supervised.end('SIGTERM');
    await super.stop();
  }
}

async function choosePorts(): Promise<BrokerPorts> {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0] = await freePorts(PORTS_NEEDED);
  return {
    plaintext: a,
    controller: b,
    proxyTarget: c,
    proxyAdvertised: d,
    ssl: e,
    saslPlaintext: f,
    saslSsl: g,
  };
}

async function prepare(
  parts: Pick<JarBrokerParts, 'java' | 'libraries' | 'options' | 'files' | 'ports'> & {
    readonly keystore: Keystore | undefined;
  },
): Promise<void> {
  const { java, libraries, options, files, ports, keystore } = parts;
  await mkdir(files.data, { recursive: true });
  await writeFile(files.properties, serverProperties(options, ports, files.data, keystore));
  await writeFile(files.log, '', { flag: 'a' });
  const formatted = await sizeOf(join(files.data, 'meta.properties'));
  if (formatted === 0) {
    await formatStorage({
      java,
      libraries,
      propertiesFile: files.properties,
      logDirectory: files.data,
      options,
    });
  }
}

function address(port: number): string {
  return `127.0.0.1:${port}`;
}

async function portWasTaken(log: string): Promise<boolean> {
  return (await readFile(log, 'utf8')).includes(PORT_TAKEN_LINE);
}

async function sizeOf(file: string): Promise<number> {
  return readFile(file).then(
    (content) => content.length,
    () => 0,
  );
}

async function readFrom(file: string, offset: number): Promise<string> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(Math.max(1, size - offset)),
      0,
      Math.max(0, size - offset),
      offset,
    );
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
