// Owns the folding of a sub-topology into closures, once per task. At run time there is no graph: a source function calls the
// first operator's closure, which calls the next, down to the sinks. Nothing here is allocated per record.
import { compileCodec } from '#libs/serde';
import type { GraphNode, SinkNode } from '../graph.ts';
import type { Site, StreamFunction, TableFunction } from '../operators/operator.ts';
import { toEachStream } from '../operators/operator.ts';
import type { CompiledTask, TaskPorts } from '../ports.ts';
import { encodesAs, incomingKey } from '../provenance.ts';
import type { Provenance } from '../provenance.ts';

/** Which user function threw an error, by node. The innermost site notes it; the error itself stays untouched. */
class Blame {
  error: unknown = undefined;
  node: string | null = null;
}

export function compileTask(
  nodes: readonly GraphNode[],
  sinks: readonly SinkNode[],
  traced: ReadonlyMap<GraphNode, Provenance>,
  ports: TaskPorts,
): CompiledTask {
  const blame = new Blame();
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
      return (key: unknown, value: unknown, timestamp: number) => sink.send(key, value, timestamp);
    }
    const { operator } = node;
    const children = node.children.filter((child) => sideOf(child) === null);
    const site: Site = {
      ...siteOf(node, traced, ports, blame),
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
  for (const node of nodes) {
    if (node.kind !== 'source') continue;
    const fn = fold(node) as StreamFunction;
    // One function for all topics of a source: SubTopology.sources has one entry per topic.
    for (let topic = 0; topic < node.topics.length; topic++) sources.push(fn);
  }
  return {
    sources,
    init: () => {
      for (const init of inits) init();
    },
    close: () => {
      for (const close of closes) close();
    },
    locate: (error) => (blame.node !== null && blame.error === error ? blame.node : null),
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
): Omit<Site, 'side' | 'sides' | 'onInit' | 'onClose'> {
  const { name } = node;
  const keyOrigin = incomingKey(node, traced);
  return {
    node: name,
    context: ports.context,
    taskId: ports.taskId,
    applicationId: ports.applicationId,
    store: (store) => ports.store(store),
    orderedStore: (store) => ports.orderedStore(store),
    globalStore: (store) => ports.globalStore(store),
    clock: (onAdvance) => ports.clock(name, onAdvance ?? null),
    alarm: (kind, fire) => ports.alarm(kind, fire),
    wallTime: () => ports.wallTime(),
    post: (deliver) => ports.post(deliver),
    intake: ports.intake,
    keyEncoder: (keySerde) => ({
      fromSource: encodesAs(keyOrigin, keySerde),
      codec: compileCodec(keySerde),
    }),
    drop: (code, reason) => ports.drop(name, code, reason),
    blame: (error) => {
      // A function that forwards runs those of the nodes behind it: the innermost one is to blame, and noted first.
      if (blame.error !== error) {
        blame.error = error;
        blame.node = name;
      }
      return error;
    },
  };
}
