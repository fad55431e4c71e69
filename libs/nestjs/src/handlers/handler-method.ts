// Owns the call of a handler's method: what it is given, and what becomes of what it returns. It keeps nothing from call to call.
import type { StateDescriptors } from '#libs/millrace';
import type {
  HandlerContext,
  HandlerMetadata,
  HandlerOutput,
  HandlerResult,
} from '../decorators/exactly-once-handler.decorator.ts';
import { promiseOfHandler, strangeOutput, unknownOutput } from './handler-exceptions.ts';

/** A method as found, with all that is known of it. */
export interface FoundHandler extends HandlerMetadata {
  /** `Class.method`. */
  readonly label: string;
  readonly instance: Readonly<Record<string, unknown>>;
  readonly method: string;
}

/** A record to be published: an output with all its defaults but the timestamp and headers of its record. */
export interface Envelope {
  readonly topic: string;
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number | undefined;
  readonly headers: HandlerOutput['headers'];
}

export type AnyContext = HandlerContext<StateDescriptors, unknown>;

export class HandlerMethod {
  private readonly handler: FoundHandler;
  private readonly topics: readonly string[];

  constructor(handler: FoundHandler, topics: readonly string[]) {
    this.handler = handler;
    this.topics = topics;
  }

  /** @throws MillraceError MILLRACE_ASYNC_HANDLER it gave a promise, MILLRACE_INVALID_HANDLER it gave what cannot be published. */
  call(value: unknown, context: AnyContext): readonly Envelope[] {
    const result = this.run(value, context);
    if (isPromise(result)) {
      // Nobody waits for it: its failure is not to end the process as an unhandled one.
      result.then(undefined, () => undefined);
      throw promiseOfHandler(this.handler.label);
    }
    return this.envelopes(result as HandlerResult, context.key);
  }

  async callAsync(value: unknown, context: AnyContext): Promise<readonly Envelope[]> {
    return this.envelopes((await this.run(value, context)) as HandlerResult, context.key);
  }

  private run(value: unknown, context: AnyContext): unknown {
    const { instance, method } = this.handler;
    // Looked up anew: a test may spy on it.
    return (instance[method] as (value: unknown, context: AnyContext) => unknown).call(
      instance,
      value,
      context,
    );
  }

  private envelopes(result: HandlerResult, key: unknown): readonly Envelope[] {
    if (result === null || result === undefined) return [];
    if (typeof result !== 'object') throw strangeOutput(this.handler.label, result);
    const outputs = Symbol.iterator in result ? result : [result];
    const envelopes: Envelope[] = [];
    for (const output of outputs) envelopes.push(this.envelope(output, key));
    return envelopes;
  }

  private envelope(output: unknown, recordKey: unknown): Envelope {
    const { handler, topics } = this;
    if (typeof output !== 'object' || output === null || !('value' in output)) {
      throw strangeOutput(handler.label, output);
    }
    const { topic, key, value, timestamp, headers } = output as HandlerOutput;
    const chosen = topic ?? (topics.length === 1 ? topics[0] : undefined);
    if (chosen === undefined || !topics.includes(chosen)) {
      throw unknownOutput(handler.label, chosen, topics);
    }
    return { topic: chosen, key: key === undefined ? recordKey : key, value, timestamp, headers };
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
