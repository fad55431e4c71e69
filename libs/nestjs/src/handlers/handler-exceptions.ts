// Owns the refusals of exactly-once handlers: at the start what is declared wrongly, at run time what a method returned.
import type { MillraceError } from '#libs/millrace';
import { quoted, withSolutions } from '../exceptions.ts';

const INVALID = 'MILLRACE_INVALID_HANDLER';

export function promiseOfHandler(label: string): MillraceError {
  return withSolutions(
    'MILLRACE_ASYNC_HANDLER',
    `The handler ${label} is asynchronous: its result would come after the transaction of its record was committed.`,
    [
      'Make the method synchronous.',
      'Give it `async: {}`: then it is called at least once for each record, and what it returns is published exactly once.',
      'Draw a topology with mapAsync, and keep state in an operator behind it.',
    ],
  );
}

export function asyncWithState(label: string): MillraceError {
  return withSolutions(
    'MILLRACE_ASYNC_HANDLER',
    `The handler ${label} is asynchronous and has state: state can only be read and written inside the transaction of a record.`,
    [
      'Leave out `async`, or `state`.',
      'Publish from the asynchronous handler to a topic that a second handler, with the state, consumes.',
      'Draw a topology: mapAsync, then groupByKey().process with the state.',
    ],
  );
}

export function namelessHandler(label: string): MillraceError {
  return withSolutions(INVALID, `The handler ${label} keeps a store, and has no name for it.`, [
    "Give it one: @ExactlyOnceHandler(topic, { name: 'totals', … }). It must not change between versions.",
  ]);
}

export function enhancedHandler(label: string, enhancers: readonly string[]): MillraceError {
  return withSolutions(
    INVALID,
    `The handler ${label} carries ${enhancers.join(', ')}, which would not run: a handler has no request.`,
    [
      'Check and convert values in the method or in the serde; refuse a record by throwing, and let the exception handlers decide.',
      'Take what a guard or an interceptor does into a provider, and call it in the method.',
    ],
  );
}

export function unknownApplicationOfHandler(
  label: string,
  application: string,
  known: readonly string[],
): MillraceError {
  return withSolutions(
    INVALID,
    `The handler ${label} is for the application "${application}", which does not exist.`,
    [
      `Import MillraceModule.forRoot({ name: '${application}', … }).`,
      `Name one of those there are: ${quoted(known)}.`,
    ],
  );
}

export function missingMethod(label: string): MillraceError {
  return withSolutions(
    INVALID,
    `The handler ${label} has no method in the object that stands in its place.`,
    ['Give the test double the method, or leave the handler out of the test module.'],
  );
}

export function unknownOutput(
  label: string,
  topic: string | undefined,
  topics: readonly string[],
): MillraceError {
  const what = topic === undefined ? 'a record without a topic' : `a record for "${topic}"`;
  return withSolutions(
    INVALID,
    `The handler ${label} returned ${what}, and its outputs are ${topics.length === 0 ? 'none' : quoted(topics)}.`,
    [
      "List the topics it publishes to: @ExactlyOnceHandler(topic, { outputs: ['a', 'b'] }).",
      "Where there are several, each record names its own: { topic: 'a', value }.",
    ],
  );
}

export function strangeOutput(label: string, output: unknown): MillraceError {
  const kind = output === null ? 'null' : Array.isArray(output) ? 'an array' : `a ${typeof output}`;
  return withSolutions(INVALID, `The handler ${label} returned ${kind} where a record is to be.`, [
    'Return a record { value }, several of them, or nothing.',
  ]);
}
