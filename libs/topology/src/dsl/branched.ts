// Owns the split of a stream in the making: branches are added one by one, the node's predicates with them.
import { branchOperator, passThroughOperator } from '../operators/stateless.ts';
import type { RecordPredicate } from '../operators/stateless.ts';
import type { GraphNode } from '../graph.ts';
import type { DslFactory, StreamState } from './factory.ts';
import type { KStreamImpl } from './kstream.ts';
import type { BranchedKStream, Untyped } from './types.ts';

export class BranchedKStreamImpl implements Untyped<BranchedKStream<unknown, unknown>> {
  readonly #dsl: DslFactory;
  readonly #stream: StreamState;
  readonly #splitterName: string;
  readonly #splitter: GraphNode;
  readonly #path: string;
  readonly #predicates: (RecordPredicate | null)[] = [];
  readonly #branches: Record<string, KStreamImpl> = {};

  constructor(dsl: DslFactory, stream: StreamState, splitterName: string, path: string) {
    this.#dsl = dsl;
    this.#stream = stream;
    this.#splitterName = splitterName;
    this.#path = path;
    this.#splitter = dsl.graph.addNode({
      kind: 'processor',
      name: splitterName,
      path,
      parents: [stream.node],
      children: [],
      // The list grows with each branch; it is read when a task is compiled.
      operator: branchOperator(this.#predicates),
    });
  }

  branch(name: string, predicate: RecordPredicate): this {
    const path = `${this.#path}.branch(${JSON.stringify(name)})`;
    this.#dsl.graph.checkedFunction('predicate', predicate, path);
    this.#add(name, predicate, path);
    return this;
  }

  defaultBranch(name: string): Readonly<Record<string, KStreamImpl>> {
    this.#add(name, null, `${this.#path}.defaultBranch(${JSON.stringify(name)})`);
    return this.#branches;
  }

  noDefaultBranch(): Readonly<Record<string, KStreamImpl>> {
    return this.#branches;
  }

  #add(name: string, predicate: RecordPredicate | null, path: string): void {
    const { graph } = this.#dsl;
    graph.skipNames(1);
    graph.checkedName('branch name', name, path);
    if (Object.hasOwn(this.#branches, name)) {
      graph.addFault(path, `the split already has a branch "${name}".`, 'Give each branch its own name.');
      return;
    }
    const node = graph.addNode({
      kind: 'processor',
      name: this.#splitterName + name,
      path,
      parents: [this.#splitter],
      children: [],
      operator: passThroughOperator,
    });
    this.#predicates.push(predicate);
    this.#branches[name] = this.#dsl.stream({ ...this.#stream, node, path });
  }
}
