// Owns the road to a schema registry: SCHEMA_REGISTRY_URL, else Docker, else Apicurio's archive, else an error that says what to do.
import { MillraceError } from '#libs/core';

import { whyNoDocker } from './availability.ts';
import { startDockerRegistry } from './docker-registry.ts';
import { startJarRegistry } from './jar-registry.ts';
import { findJavaOf, findMaven } from './java-home.ts';
import { DEFAULT_REGISTRY_VERSION, REGISTRY_JAVA_VERSION_MIN } from './local-registry.ts';
import type { LocalRegistry, LocalRegistryOptions, RegistryRoad } from './local-registry.ts';
import { librariesPresent, registryLibraries } from './maven-libraries.ts';
import { progressLine } from './progress.ts';

export type RegistryAvailability =
  | { readonly road: RegistryRoad }
  /** `reasons`: why each road that was allowed is closed, a sentence each. */
  | { readonly road: undefined; readonly reasons: readonly string[] };

/** The first open road for a registry with these options. Starts none. */
export async function registryAvailability(
  options: LocalRegistryOptions = {},
): Promise<RegistryAvailability> {
  const reasons: string[] = [];
  for (const road of roadsFor(options)) {
    const closed = await whyClosed(road, options.version ?? DEFAULT_REGISTRY_VERSION);
    if (closed === undefined) return { road };
    reasons.push(closed);
  }
  return { road: undefined, reasons };
}

/**
 * Finds or starts a schema registry and answers once it takes requests.
 * @throws MillraceError MILLRACE_NO_REGISTRY_AVAILABLE where no road is open, MILLRACE_LOCAL_REGISTRY_FAILED where one is but the registry
 *   does not come up.
 */
export async function startLocalRegistry(options: LocalRegistryOptions = {}): Promise<LocalRegistry> {
  const onProgress = options.onProgress ?? progressLine();
  const availability = await registryAvailability(options);
  switch (availability.road) {
    case 'env':
      return envRegistry(registryFromEnvironment() ?? '');
    case 'docker':
      return startDockerRegistry(options, onProgress);
    case 'local':
      return startJarRegistry(options, onProgress);
    case undefined:
      throw new MillraceError({
        code: 'MILLRACE_NO_REGISTRY_AVAILABLE',
        message: `No schema registry was given and none can be started here: ${availability.reasons.join(' ')}`,
        remedy:
          'Set SCHEMA_REGISTRY_URL to a registry that runs, or start a Docker engine, ' +
          `or install a JDK ${REGISTRY_JAVA_VERSION_MIN} or newer and Maven.`,
      });
  }
}

function roadsFor({ roads, version, properties }: LocalRegistryOptions): readonly RegistryRoad[] {
  if (roads !== undefined) return roads;
  return version === undefined && properties === undefined ? ['env', 'docker', 'local'] : ['docker', 'local'];
}

function registryFromEnvironment(): string | undefined {
  const url = (process.env['SCHEMA_REGISTRY_URL'] ?? '').trim();
  return url === '' ? undefined : url.replace(/\/+$/, '');
}

async function whyClosed(road: RegistryRoad, version: string): Promise<string | undefined> {
  switch (road) {
    case 'env':
      return registryFromEnvironment() === undefined ? 'SCHEMA_REGISTRY_URL is not set.' : undefined;
    case 'docker':
      return whyNoDocker();
    case 'local':
      return whyNoArchive(version);
  }
}

async function whyNoArchive(version: string): Promise<string | undefined> {
  if ((await findJavaOf(REGISTRY_JAVA_VERSION_MIN)) === undefined) {
    return `There is no Java ${REGISTRY_JAVA_VERSION_MIN} or newer in JAVA_HOME, PATH or where JDKs are installed.`;
  }
  if (await librariesPresent(`apicurio-registry-${version}`, registryLibraries(version))) return undefined;
  if ((await findMaven()) === undefined) {
    return `Maven (mvn), which fetches Apicurio Registry ${version} the first time, is not in MAVEN_HOME or PATH.`;
  }
  return undefined;
}

function envRegistry(url: string): LocalRegistry {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new MillraceError({
        code: 'MILLRACE_LOCAL_REGISTRY_FAILED',
        message: `The schema registry of SCHEMA_REGISTRY_URL is not ours to kill or restart.`,
        remedy: "Unset SCHEMA_REGISTRY_URL, or ask for `roads: ['local']`.",
      }),
    );
  return {
    url,
    version: 'unknown',
    source: 'env',
    logFile: undefined,
    pid: undefined,
    stop: () => Promise.resolve(),
    kill: refuse,
    restart: refuse,
  };
}
