// Owns the cache of Java libraries: a folder of jars per set of Maven coordinates, filled by Maven once.
// A set is fetched into a folder of its own and renamed into place, so parallel starts never see half of one.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { MillraceError } from '#libs/core';

import { findMaven } from './java-home.ts';
import type { LocalBrokerProgress } from './local-broker.ts';

export interface MavenLibrary {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  /** `*`: take this artifact alone; otherwise `group:artifact` pairs to leave out of what it brings along. */
  readonly exclude?: readonly string[];
  /** Of an artifact that is no plain jar, such as `tar.gz`. */
  readonly type?: string;
  readonly classifier?: string;
}

/** `copy`: the jars side by side. `unpack`: what the archives hold. */
export type MavenPlacement = 'copy' | 'unpack';

/** Where downloads are kept: MILLRACE_CACHE, else the user's cache directory. */
export function cacheDirectory(): string {
  const chosen = process.env['MILLRACE_CACHE'];
  if (chosen !== undefined && chosen !== '') return chosen;
  const base = process.env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'millrace');
}

/** What runs a broker of `version` and Kafka's command line tools. */
export function kafkaLibraries(version: string): readonly MavenLibrary[] {
  return [
    {
      group: 'org.apache.kafka',
      artifact: 'kafka_2.13',
      version,
      // Two slf4j bindings would both claim the log.
      exclude: ['org.slf4j:slf4j-reload4j', 'org.slf4j:slf4j-log4j12'],
    },
    // The console tools without Kafka Connect, which they only need for Connect's own.
    { group: 'org.apache.kafka', artifact: 'kafka-tools', version, exclude: ['*'] },
    { group: 'org.slf4j', artifact: 'slf4j-simple', version: '1.7.36' },
  ];
}

/** Apicurio's schema registry as one archive, with all it needs to run. */
export function registryLibraries(version: string): readonly MavenLibrary[] {
  return [
    {
      group: 'io.apicurio',
      artifact: 'apicurio-registry-app',
      version,
      type: 'tar.gz',
      classifier: 'all',
      exclude: ['*'],
    },
  ];
}

/** The folder a set is kept in, whether it is there or not. */
export function librariesFolder(name: string, libraries: readonly MavenLibrary[]): string {
  const hash = createHash('sha256').update(pom(libraries)).digest('hex').slice(0, 10);
  return join(cacheDirectory(), 'jars', `${name}-${hash}`);
}

export async function librariesPresent(name: string, libraries: readonly MavenLibrary[]): Promise<boolean> {
  return exists(librariesFolder(name, libraries));
}

/**
 * The folder with the jars of `libraries` and all they need at run time; fetched by Maven when it is not there yet.
 * @throws MillraceError MILLRACE_NO_BROKER_AVAILABLE without Maven, MILLRACE_LOCAL_BROKER_FAILED when Maven fails.
 */
export async function ensureMavenLibraries(
  name: string,
  libraries: readonly MavenLibrary[],
  onProgress: (progress: LocalBrokerProgress) => void,
  placement: MavenPlacement = 'copy',
): Promise<string> {
  const folder = librariesFolder(name, libraries);
  if (await exists(folder)) return folder;
  const maven = await findMaven();
  if (maven === undefined) {
    throw new MillraceError({
      code: 'MILLRACE_NO_BROKER_AVAILABLE',
      message: `The Java libraries of ${name} are not in ${cacheDirectory()} and there is no Maven (mvn) to fetch them.`,
      remedy: 'Install Maven, or start a Docker engine, or set KAFKA_BROKERS to a broker that runs.',
    });
  }
  const staging = `${folder}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
  await mkdir(staging, { recursive: true });
  try {
    const pomFile = join(staging, 'pom.xml');
    await writeFile(pomFile, pom(libraries));
    await runMaven(maven, pomFile, staging, name, onProgress, placement);
    await rm(pomFile);
    await rename(staging, folder).catch(async (error: unknown) => {
      // Another process was faster; its folder is as good as ours.
      if (!(await exists(folder))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return folder;
}

function runMaven(
  maven: string,
  pomFile: string,
  output: string,
  name: string,
  onProgress: (progress: LocalBrokerProgress) => void,
  placement: MavenPlacement,
): Promise<void> {
  const message = `Fetching the Java libraries of ${name} with Maven`;
  onProgress({ step: 'libraries', message, finished: false });
  return new Promise((resolve, reject) => {
    const child = spawn(
      maven,
      [
        '-B',
        '-f',
        pomFile,
        `dependency:${placement}-dependencies`,
        '-DincludeScope=runtime',
        `-DoutputDirectory=${output}`,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' },
    );
    let done = 0;
    let tail = '';
    const read = (chunk: Buffer): void => {
      const text = chunk.toString();
      tail = (tail + text).slice(-4000);
      const before = done;
      done += text.split(/Downloaded from |Copying |Unpacking /).length - 1;
      if (done !== before) onProgress({ step: 'libraries', message, done, finished: false });
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    const fail = (cause: unknown): void =>
      reject(
        new MillraceError({
          code: 'MILLRACE_LOCAL_BROKER_FAILED',
          message: `Maven could not fetch the Java libraries of ${name}.`,
          remedy: 'Check that Maven reaches its repository (proxy, settings.xml), then try again.',
          cause,
          context: { tail },
        }),
      );
    child.on('error', fail);
    child.on('close', (code) => {
      if (code !== 0) {
        fail(new Error(`mvn exited with ${code ?? 'a signal'}:\n${tail}`));
        return;
      }
      onProgress({ step: 'libraries', message: `Fetched the Java libraries of ${name}`, finished: true });
      resolve();
    });
  });
}

function pom(libraries: readonly MavenLibrary[]): string {
  const dependency = ({ group, artifact, version, exclude, type, classifier }: MavenLibrary): string => {
    const exclusions = (exclude ?? []).map((pair) => {
      const [excludedGroup = '', excludedArtifact = ''] = pair === '*' ? ['*', '*'] : pair.split(':');
      return `<exclusion><groupId>${excludedGroup}</groupId><artifactId>${excludedArtifact}</artifactId></exclusion>`;
    });
    return (
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>` +
      (type === undefined ? '' : `<type>${type}</type>`) +
      (classifier === undefined ? '' : `<classifier>${classifier}</classifier>`) +
      `<exclusions>${exclusions.join('')}</exclusions></dependency>`
    );
  };
  return (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>' +
    '<groupId>millrace</groupId><artifactId>libraries</artifactId><version>1</version><packaging>pom</packaging>' +
    `<dependencies>${libraries.map(dependency).join('')}</dependencies></project>`
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
