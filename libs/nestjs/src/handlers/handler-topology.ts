// Owns how handlers are drawn with the operators there are; nothing of them runs by other code than a topology's.
//
//   without state   topic ─► process (the method) ─────────────────────┐
//   with state      topic ─► groupByKey ─► keyed process (the method) ─┼─► for each output: process (takes its records) ─► topic
//   asynchronous    topic ─► flatMapAsync (the method) ────────────────┘
import { Consumed, Serdes } from '#libs/millrace';
import type {
  KStream,
  KeyedContext,
  Produced,
  RecordMetadata,
  StateDescriptors,
  StreamsBuilder,
} from '#libs/millrace';
import { asyncWithState, namelessHandler, promiseOfHandler } from './handler-exceptions.ts';
import { HandlerMethod } from './handler-method.ts';
import type { AnyContext, Envelope, FoundHandler } from './handler-method.ts';

/** Of methods that nothing aborts. */
const NEVER_ABORTED = new AbortController().signal;
const NO_STATE = Object.freeze({});

/** What the serdes give is known to them alone. */
type Anything = NonNullable<unknown>;
type AnyStream = KStream<Anything, Anything>;
type Published = KStream<Anything, Envelope>;
type AnyProduced = Produced<Anything, Anything>;

/** Draws the handlers of one application, in the order given. @throws MillraceError with possible solutions. */
export function drawHandlers(builder: StreamsBuilder, handlers: readonly FoundHandler[]): void {
  const sources = new Sources(builder);
  for (const handler of handlers) {
    check(handler);
    const outputs = outputsOf(handler);
    const method = new HandlerMethod(handler, [...outputs.keys()]);
    const published = draw(sources.of(handler), handler, method);
    for (const [topic, produced] of outputs) {
      published
        .process<unknown, unknown>(
          (record, context) => {
            const { topic: to, key, value, timestamp, headers } = record.value;
            if (to === topic) context.forward({ key, value, timestamp, headers });
          },
          `${nameOf(handler)}-to-${topic}`,
        )
        .to(topic, produced);
    }
  }
}

/** A topic is read once, however many handlers take it in the same way. */
class Sources {
  private readonly builder: StreamsBuilder;
  private readonly drawn: {
    readonly topic: string;
    readonly how: readonly unknown[];
    readonly stream: AnyStream;
  }[] = [];

  constructor(builder: StreamsBuilder) {
    this.builder = builder;
  }

  of({ topic, options }: FoundHandler): AnyStream {
    const { keySerde, valueSerde, consumed } = options;
    const how = [keySerde, valueSerde, consumed];
    const before = this.drawn.find(
      (each) => each.topic === topic && each.how.every((part, index) => part === how[index]),
    );
    if (before !== undefined) return before.stream;
    const stream = this.builder.stream<Anything, Anything>(
      topic,
      Consumed.with<Anything, Anything>(
        (keySerde ?? Serdes.string()) as never,
        (valueSerde ?? Serdes.json()) as never,
        consumed,
      ),
    );
    this.drawn.push({ topic, how, stream });
    return stream;
  }
}

function draw(stream: AnyStream, handler: FoundHandler, method: HandlerMethod): Published {
  const { state, async } = handler.options;
  const name = nameOf(handler);
  if (async !== undefined) {
    return stream.flatMapAsync<Envelope>(
      (value, { key, timestamp, headers, attempt, signal }) =>
        method.callAsync(value, { key, state: NO_STATE, timestamp, headers, record: null, signal, attempt }),
      { ...async, name },
    );
  }
  if (state !== undefined) {
    return stream.groupByKey().process<Envelope, StateDescriptors>({
      name,
      state,
      onRecord(value, context) {
        const given = new RecordHandlerContext(context.record, context.key, context.timestamp, context.state);
        for (const envelope of method.call(value, given)) context.emit(envelope);
      },
    });
  }
  return stream.process<Anything, Envelope>((record, context) => {
    const metadata = context.recordMetadata!;
    const given = new RecordHandlerContext(metadata, record.key, record.timestamp, NO_STATE);
    for (const envelope of method.call(record.value, given))
      context.forward({ key: record.key, value: envelope });
  }, name);
}

/** What a synchronous method is given. Headers are decoded when it asks for them. */
class RecordHandlerContext implements AnyContext {
  readonly record: RecordMetadata;
  readonly key: unknown;
  readonly timestamp: number;
  readonly state: AnyContext['state'];
  readonly signal = NEVER_ABORTED;
  readonly attempt = 1;

  constructor(
    record: RecordMetadata,
    key: unknown,
    timestamp: number,
    state: KeyedContext<unknown, unknown, StateDescriptors>['state'],
  ) {
    this.record = record;
    this.key = key;
    this.timestamp = timestamp;
    this.state = state;
  }

  get headers(): AnyContext['headers'] {
    return this.record.headers();
  }
}

function check({ label, options, instance, method }: FoundHandler): void {
  const { state, async, name } = options;
  if (async !== undefined && state !== undefined) throw asyncWithState(label);
  if ((async !== undefined || state !== undefined) && name === undefined) throw namelessHandler(label);
  if (async === undefined && isAsyncFunction(instance[method])) throw promiseOfHandler(label);
}

function isAsyncFunction(value: unknown): boolean {
  return typeof value === 'function' && Object.prototype.toString.call(value) === '[object AsyncFunction]';
}

function outputsOf({ options: { outputs = [] } }: FoundHandler): Map<string, AnyProduced> {
  const given = typeof outputs === 'string' ? [outputs] : outputs;
  const entries: readonly (readonly [string, AnyProduced])[] = isList(given)
    ? given.map((topic) => [topic, {}] as const)
    : Object.entries(given);
  return new Map(entries.map(([topic, produced]) => [topic, withDefaults(produced)]));
}

const isList = (given: object): given is readonly string[] => Array.isArray(given);

function withDefaults(produced: AnyProduced): AnyProduced {
  return {
    ...produced,
    keySerde: produced.keySerde ?? (Serdes.string() as never),
    valueSerde: produced.valueSerde ?? (Serdes.json() as never),
  };
}

export function nameOf({ options, label }: Pick<FoundHandler, 'options' | 'label'>): string {
  return options.name ?? label;
}
