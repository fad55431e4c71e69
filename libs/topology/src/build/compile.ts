// Owns the folding of a sub-topology into closures, once per task. At run time there is no graph: a source function calls the
// first operator's closure, which calls the next, down to the sinks. Nothing here is allocated per record.
import { compileCodec } from '#libs/serde';
import type { GraphNode, SinkNode } from '../graph.ts';
import type { Site, StreamFunction, TableFunction } from '../operators/operator.ts';
import { toEachStream } from '../operators/operator.ts';
import type { GlobalStoreSpec, RecordHeadersFunction, StoreSpec } from '../plan.ts';
import { NO_LINKS } from '../operators/trace-links.ts';
import type { CompiledTask, OperatorClock, RecordContext, TaskPorts } from '../ports.ts';
import { encodesAs, incomingKey } from '../provenance.ts';
import type { Provenance } from '../provenance.ts';
import type { FailurePolicy } from '../options/failure-policy.ts';
import type { ClockNames } from './clock-names.ts';
import { retryTopicsBehind } from './retry-topics.ts';

/** Which user function threw an error, by node. The innermost site notes it; the error itself stays untouched. */
class Blame {
  error: unknown = undefined;
  node: string | null = null;

  /** Notes an error as that of a function of the node, and gives it back. */
  of(node: string): (error: unknown) => unknown {
    return (error) => {
      this.error = error;
      this.node = node;
      return error;
    };
  }
}

/** Specs by name: of the sub-topology's stores, and of all global ones. */
export interface StoreLookUp {
  readonly specs: ReadonlyMap<string, StoreSpec>;
  readonly globalSpecs: ReadonlyMap<string, GlobalStoreSpec>;
  readonly clocks: ClockNames;
}

interface ScopeHooks {
  readonly begin: () => void;
  readonly undo: () => void;
}

/** Tells those who ask of the beginning of each scope and of its undoing. A scope is undone when something is thrown out of it. */
class Scopes {
  readonly #hooks: ScopeHooks[] = [];

  add(hooks: ScopeHooks): void {
    this.#hooks.push(hooks);
  }

  run<R>(action: () => R): R {
    if (this.#hooks.length === 0) return action();
    this.#begin();
    try {
      return action();
    } catch (error) {
      this.#undo();
      throw error;
    }
  }

  /** The function itself where nobody asks: records pay nothing for it. */
  around(source: StreamFunction): StreamFunction {
    if (this.#hooks.length === 0) return source;
    return (key, value, timestamp) => {
      this.#begin();
      try {
        source(key, value, timestamp);
      } catch (error) {
        this.#undo();
        throw error;
      }
    };
  }

  #begin(): void {
    const hooks = this.#hooks;
    for (let index = 0; index < hooks.length; index++) hooks[index]!.begin();
  }

  #undo(): void {
    for (const { undo } of this.#hooks) undo();
  }
}

export function compileTask(
  nodes: readonly GraphNode[],
  sinks: readonly SinkNode[],
  traced: ReadonlyMap<GraphNode, Provenance>,
  ports: TaskPorts,
  stores: StoreLookUp,
  policies: ReadonlyMap<string, FailurePolicy> = new Map(),
): CompiledTask {
  const blame = new Blame();
  const scopes = new Scopes();
  const storeClocks = new Map<string, OperatorClock>();
  const storeClock = (store: string): OperatorClock => {
    let clock = storeClocks.get(store);
    // No node's name has a slash in it.
    if (clock === undefined) storeClocks.set(store, (clock = ports.clock(`store/${store}`, null)));
    return clock;
  };
  const inits: (() => void)[] = [];
  const closes: (() => void)[] = [];
  const folded = new Map<GraphNode, StreamFunction | TableFunction>();

  const foldAll = <F>(children: readonly GraphNode[]): readonly F[] =>
    children.map((child) => {
      let fn = folded.get(child);
      if (fn === undefined) {
        fn = fold(child);
        folded.set(child, fn);
      }
      // An operator's children take what it gives: the DSL cannot connect them otherwise.
      return fn as F;
    });

  const fold = (node: GraphNode): StreamFunction | TableFunction => {
    if (node.kind === 'source') return toEachStream(foldAll<StreamFunction>(node.children));
    if (node.kind === 'sink') {
      const sink = ports.sink(sinks.indexOf(node));
      const send: StreamFunction = (key, value, timestamp) => sink.send(key, value, timestamp);
      const { headers = null } = node;
      return headers === null ? send : withHeaders(headers, send, ports.context, blame.of(node.name));
    }
    const { operator } = node;
    const children = node.children.filter((child) => sideOf(child) === null);
    const site: Site = {
      ...siteOf(node, traced, ports, blame, scopes),
      clock: (onAdvance) =>
        ports.clock(
          stores.clocks.get(node.name) ?? node.name,
          onAdvance === undefined ? null : (now) => scopes.run(() => onAdvance(now)),
        ),
      childNames: children.map(({ name }) => name),
      storeClock,
      clockName: stores.clocks.get(node.name) ?? node.name,
      ownClock: (store) => ports.clock(`own/${store}`, null, true),
      storeSpec: (name) => (operator.stores.includes(name) ? (stores.specs.get(name) ?? null) : null),
      globalStoreSpec: (name) => stores.globalSpecs.get(name) ?? null,
      onScope: (hooks) => scopes.add(hooks),
      sides: node.children.map(sideOf).filter((side) => side !== null),
      side: (tag) =>
        toEachStream(foldAll<StreamFunction>(node.children.filter((child) => sideOf(child) === tag))),
      onInit: (action) => inits.push(action),
      onClose: (action) => closes.push(action),
    };
    // Each case names the pair of function types it deals in; the bodies are the same.
    if (operator.gives === 'stream') return operator.fold(site, foldAll<StreamFunction>(children));
    return operator.fold(site, foldAll<TableFunction>(children));
  };

  const sources: StreamFunction[] = [];
  // Behind all others, as in SubTopology.sources.
  const retries: StreamFunction[] = [];
  for (const node of nodes) {
    if (node.kind !== 'source') continue;
    const fn = fold(node) as StreamFunction;
    // One function for all topics of a source: SubTopology.sources has one entry per topic.
    for (let topic = 0; topic < node.topics.length; topic++) sources.push(fn);
    const levels = retryTopicsBehind(node, policies)?.delaysMs.length ?? 0;
    for (let topic = 0; topic < node.topics.length * levels; topic++) retries.push(fn);
  }
  return {
    sources: [...sources, ...retries].map((source) => scopes.around(source)),
    init: () =>
      scopes.run(() => {
        for (const init of inits) init();
      }),
    close: () => {
      for (const close of closes) close();
    },
    locate: (error) => (blame.node !== null && blame.error === error ? blame.node : null),
  };
}

function withHeaders(
  headersOf: RecordHeadersFunction,
  send: StreamFunction,
  context: RecordContext,
  blame: (error: unknown) => unknown,
): StreamFunction {
  return (key, value, timestamp) => {
    const before = context.outputHeaders;
    try {
      context.outputHeaders = headersOf(key, value, context);
    } catch (error) {
      throw blame(error);
    }
    send(key, value, timestamp);
    context.outputHeaders = before;
  };
}

function sideOf(node: GraphNode): string | null {
  return node.kind === 'processor' ? (node.side ?? null) : null;
}

function siteOf(
  node: GraphNode,
  traced: ReadonlyMap<GraphNode, Provenance>,
  ports: TaskPorts,
  blame: Blame,
  scopes: Scopes,
): Omit<
  Site,
  | 'clock'
  | 'side'
  | 'sides'
  | 'childNames'
  | 'storeClock'
  | 'clockName'
  | 'ownClock'
  | 'storeSpec'
  | 'globalStoreSpec'
  | 'onScope'
  | 'onInit'
  | 'onClose'
> {
  const { name } = node;
  const keyOrigin = incomingKey(node, traced);
  return {
    node: name,
    context: ports.context,
    links: ports.links?.(name) ?? NO_LINKS,
    // No node's name has a slash in it.
    linksOf: (store) => ports.links?.(`store/${store}`) ?? NO_LINKS,
    taskId: ports.taskId,
    applicationId: ports.applicationId,
    store: (store) => ports.store(store),
    orderedStore: (store) => ports.orderedStore(store),
    globalStore: (store) => ports.globalStore(store),
    alarm: (kind, fire) => ports.alarm(kind, (now, skip) => scopes.run(() => fire(now, skip))),
    wallTime: () => ports.wallTime(),
    post: (deliver, skip, record) =>
      ports.post(() => scopes.run(deliver), skip === undefined ? undefined : () => scopes.run(skip), record),
    intake: ports.intake,
    unfinished: (holder, isUnderWay) => ports.unfinished?.(holder, isUnderWay),
    keyEncoder: (keySerde) => ({
      fromSource: encodesAs(keyOrigin, keySerde),
      codec: compileCodec(keySerde),
    }),
    drop: (code, reason) => ports.drop(name, code, reason),
    blame: blame.of(name),
  };
}
