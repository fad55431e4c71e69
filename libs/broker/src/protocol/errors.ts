// Owns how a broker's refusal becomes an error of ours. State machines choose the class of error by the table of
// error-codes.ts; the texts are made here, so that each says who refused what and what to do.
import {
  EpochAbortedError,
  FatalError,
  MillraceError,
  RetriableError,
  TaskMigratedError,
  asError,
} from '#libs/core';
import type { ErrorCode } from '#libs/core';
import { RpcFailure } from '../rpc/index.ts';
import { classify, errorName, KafkaError } from './error-codes.ts';

type Context = Readonly<Record<string, unknown>>;

/** What an ACL on a topic allows, in the words of kafka-acls. Read, Write and Delete include Describe. */
export type TopicOperation = 'Create' | 'Delete' | 'Describe' | 'DescribeConfigs' | 'Read' | 'Write';

/** The ACL whose absence a broker complains of, as far as its answer tells. */
export interface MissingPermission {
  readonly resourceType: 'cluster' | 'group' | 'topic' | 'transactional id';
  /** `null`: the answer does not say of which. */
  readonly resourceName: string | null;
  readonly operation: TopicOperation | 'IdempotentWrite';
}

/**
 * A refusal that no retry and no re-initialisation mends. `what` is the operation, as in `Produce to orders-3`. The resource is taken from
 * `context`: `topic`, `groupId`, `transactionalId`. `operation`: what has to be allowed on a topic.
 */
export function refused(
  what: string,
  code: number,
  context: Context = {},
  detail?: string | null,
  operation: TopicOperation = 'Describe',
): FatalError {
  const name = errorName(code);
  const message = `${what} was refused by the broker with ${name}${detail ? ` (${detail})` : ''}.`;
  if (classify(code) !== 'unauthorized') {
    return new FatalError({
      code: 'MILLRACE_REQUEST_FAILED',
      message,
      remedy: 'Look the error up in the Kafka protocol guide and in the broker log of the same time.',
      context: { ...context, kafkaError: name, kafkaErrorCode: code },
    });
  }
  const permission = missingPermission(code, context, operation);
  const { resourceType, resourceName } = permission;
  return new FatalError({
    code: 'MILLRACE_AUTHORIZATION_FAILED',
    message,
    remedy: `Grant the missing ACL, ${permission.operation} on the ${resourceType}${resourceName === null ? '' : ` "${resourceName}"`}, to the principal this client authenticates as; docs/operations/security.md lists all that is needed.`,
    context: { ...context, kafkaError: name, kafkaErrorCode: code, permission },
  });
}

function missingPermission(code: number, context: Context, operation: TopicOperation): MissingPermission {
  const named = (key: string): string | null => {
    const value = context[key];
    return typeof value === 'string' ? value : null;
  };
  switch (code) {
    case KafkaError.GROUP_AUTHORIZATION_FAILED:
      return { resourceType: 'group', resourceName: named('groupId'), operation: 'Read' };
    case KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return {
        resourceType: 'transactional id',
        resourceName: named('transactionalId'),
        operation: 'Write',
      };
    case KafkaError.CLUSTER_AUTHORIZATION_FAILED:
      return {
        resourceType: 'cluster',
        resourceName: null,
        operation: operation === 'Create' ? 'Create' : 'IdempotentWrite',
      };
    default:
      return { resourceType: 'topic', resourceName: named('topic'), operation };
  }
}

/** The transaction cannot be committed, or nobody knows whether it was. */
export function epochAborted(why: string, context: Context = {}, cause?: unknown): EpochAbortedError {
  return new EpochAbortedError({
    code: 'MILLRACE_EPOCH_ABORTED',
    message: `${why}, so nothing of this epoch may be kept.`,
    remedy:
      'The worker re-initialises and goes on from the committed offsets; if it repeats, see the broker log.',
    context,
    cause,
  });
}

/** Somebody else initialised this transactional id after us. */
export function producerFenced(transactionalId: string, what: string, code: number): TaskMigratedError {
  return new TaskMigratedError({
    code: 'MILLRACE_PRODUCER_FENCED',
    message: `${what} was refused with ${errorName(code)}: a newer holder of transactional id "${transactionalId}" fenced this writer.`,
    remedy:
      'If another process took this one for dead, rejoin the group. If two processes run with the same instance name, stop one.',
    context: { transactionalId, kafkaError: errorName(code), kafkaErrorCode: code },
  });
}

/** The group gave the member's work to others. */
export function generationLost(what: string, code: number, context: Context): TaskMigratedError {
  return new TaskMigratedError({
    code: 'MILLRACE_GENERATION_LOST',
    message: `${what} was refused with ${errorName(code)}: the group does not know this member or generation any more.`,
    remedy:
      'The worker closes its tasks and rejoins; if it repeats, raise the session timeout or lower the load.',
    context: { ...context, kafkaError: errorName(code), kafkaErrorCode: code },
  });
}

export function topicMissing(topic: string, context: Context = {}): FatalError {
  return new FatalError({
    code: 'MILLRACE_TOPIC_MISSING',
    message: `Topic "${topic}" does not exist.`,
    remedy: 'Create it with the partition count the topology needs, or correct its name.',
    context: { topic, ...context },
  });
}

/**
 * An operation that ran out of time. `last` is what stood in its way at the end. Retriable: what is asked of an admin is asked
 * again without harm, and an outage, however long, is no reason to stop for good.
 */
export function timedOut(
  what: string,
  waitedMs: number,
  last: string,
  context: Context = {},
): RetriableError {
  return new RetriableError({
    code: 'MILLRACE_BROKER_UNREACHABLE',
    message: `${what} did not succeed within ${Math.round(waitedMs)} ms; the last obstacle was: ${last}.`,
    remedy: 'Check that the brokers are up and reachable from here, and their logs of the same time.',
    context,
  });
}

/**
 * `error`, thrown by the RPC port, as a final error. A coded error keeps its code: authentication, TLS, version and
 * protocol faults are final whoever meets them.
 */
export function finalRpcError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error instanceof FatalError ? error : asFatal(error.code, error);
  const cause = asError(error);
  return new FatalError({
    code: 'MILLRACE_PROTOCOL_ERROR',
    message: `The connection to the broker failed in an unforeseen way: ${cause.message}.`,
    remedy: 'Report this with the log: it is a defect of the client.',
    cause,
  });
}

function asFatal(code: ErrorCode, error: MillraceError): FatalError {
  const fatal = new FatalError({
    code,
    message: error.message.replace(`${code}: `, ''),
    cause: error,
    context: error.context,
  });
  return fatal;
}

/** True for the one rejection of the RPC port that says nothing final. */
export function isRpcFailure(error: unknown): error is RpcFailure {
  return error instanceof RpcFailure;
}
