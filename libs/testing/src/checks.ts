// Owns the checks of what a test gives to the driver: for callers without types too, a wrong argument is told where it was given.
import { MillraceError } from '#libs/core';
import type { Serde } from '#libs/serde';
import type { StreamsBuilder, Topology } from '#libs/topology';

export function invalid(message: string, remedy: string): MillraceError {
  return new MillraceError({ code: 'MILLRACE_INVALID_CONFIG', message, remedy });
}

/** A topology, built if it was not. */
export function checkedTopology(given: Topology | StreamsBuilder): Topology {
  const { build, subTopologies } = (given ?? {}) as { build?: unknown; subTopologies?: unknown };
  if (typeof build === 'function') return (given as StreamsBuilder).build();
  if (Array.isArray(subTopologies)) return given as Topology;
  throw invalid(
    'What the driver was given is no topology.',
    'Give a StreamsBuilder, or what its build() gave.',
  );
}

export function checkedObject<T extends object>(what: string, given: T): T {
  if (typeof given === 'object' && given !== null) return given;
  throw invalid(`${what} are ${String(given)}.`, 'Give an object, or leave them out.');
}

export function checkedSerde<T>(what: string, given: Serde<T>): Serde<T> {
  const { serialize, deserialize } = (given ?? {}) as Partial<Serde<T>>;
  if (typeof serialize === 'function' && typeof deserialize === 'function') return given;
  throw invalid(
    `The ${what} is missing, or is no serde.`,
    'Give one of Serdes, or an object with serialize and deserialize.',
  );
}

/** A negative one passes: it is for the application to refuse. */
export function checkedTime(what: string, ms: number): number {
  if (Number.isSafeInteger(ms)) return ms;
  throw invalid(`${what} is ${String(ms)}.`, 'Give a whole number of milliseconds.');
}

/** The options of the driver that nothing else checks. */
export function checkDriverOptions(options: {
  readonly instances?: unknown;
  readonly startTimeMs?: number;
  readonly partitions?: unknown;
  readonly stateBackend?: unknown;
}): void {
  checkedObject('The options of the driver', options);
  const { instances = 1, startTimeMs = 0, partitions = 1, stateBackend = 'memory' } = options;
  if (!Number.isSafeInteger(instances) || (instances as number) < 0) {
    throw invalid(`instances is ${String(instances)}.`, 'Give a whole number, 0 or more.');
  }
  checkedTime('startTimeMs', startTimeMs);
  if (typeof partitions !== 'number' && (typeof partitions !== 'object' || partitions === null)) {
    throw invalid(`partitions is ${String(partitions)}.`, 'Give a number, or an object of numbers by topic.');
  }
  if (stateBackend !== 'memory' && typeof stateBackend !== 'function') {
    throw invalid(`stateBackend is ${String(stateBackend)}.`, 'Give "memory" or a function that opens one.');
  }
}
