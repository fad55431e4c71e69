// Owns the refusals of the test driver: what a test did that cannot be, and what to do instead.
import { MillraceError } from '#libs/core';

export function driverClosed(): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_ILLEGAL_STATE',
    message: 'The test driver is closed.',
    remedy: 'Start a driver for each test; what is to be read must be read before it is closed.',
  });
}

export function noRunningInstance(what: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_ILLEGAL_STATE',
    message: `${what} needs a running instance, and all have crashed or were removed.`,
    remedy: 'Call `restart()` or `addInstance()` before.',
  });
}

export function noSuchInstance(index: number, count: number): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_ILLEGAL_STATE',
    message: `There is no instance ${index}: the driver has ${count}, counted from 0.`,
    remedy: 'Give the number of an instance that was started.',
    context: { index, count },
  });
}

export function topicMissing(topic: string, known: readonly string[]): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_TOPIC_MISSING',
    message: `The topology knows no topic "${topic}".`,
    remedy: `Use one of ${list(known)}, or name further topics in the option \`partitions\`.`,
    context: { topic, known },
  });
}

export function partitionMissing(topic: string, partition: number, count: number): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `The topic "${topic}" has no partition ${partition}: it has ${count}, counted from 0.`,
    remedy: 'Leave the partition out, or set the option `partitions` of the driver.',
    context: { topic, partition, count },
  });
}

export function topicEmpty(topic: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_TEST_TOPIC_EMPTY',
    message: `All that the topic "${topic}" received is read.`,
    remedy: 'Ask `isEmpty` first, or read it all by `readAll()`.',
    context: { topic },
  });
}

export function storeMissing(store: string, known: readonly string[]): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_INVALID_TOPOLOGY',
    message: `The topology has no store "${store}".`,
    remedy: known.length === 0 ? 'Name one by Materialized.as(…).' : `Use one of ${list(known)}.`,
    context: { store, known },
  });
}

export function stalled(virtualMs: number, outstanding: readonly string[]): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_TEST_STALLED',
    message: `After ${virtualMs} ms of simulated time the application is still busy: ${outstanding.join('; ')}.`,
    remedy: 'Look at what the named parts wait for: a call that never ends, an input that is held back.',
    context: { outstanding },
  });
}

/** `error` with where the test met it. */
export function inTopic(error: unknown, topic: string, doing: string): unknown {
  if (!(error instanceof MillraceError)) return error;
  const { message } = error;
  const plain = message.startsWith(`${error.code}: `) ? message.slice(error.code.length + 2) : message;
  const remedyAt = error.remedy === undefined ? -1 : plain.indexOf(` Remedy: ${error.remedy}`);
  return new MillraceError({
    code: error.code,
    message: `${doing} topic "${topic}" failed: ${remedyAt < 0 ? plain : plain.slice(0, remedyAt)}`,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    cause: error,
    context: { ...error.context, topic },
  });
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `"${name}"`).join(', ');
}
