// Owns the names under which operators' event times are committed. A node's own name may be generated, and would shift with the next
// operator that is added; the names of stores are the user's. So a clock is named after a store of its operator.
import type { GraphNode } from '../graph.ts';
import type { StoreSpec } from '../plan.ts';

/** By the name of the node. */
export type ClockNames = ReadonlyMap<string, string>;

/** `nodes` in order of declaration. */
export function clockNames(nodes: readonly GraphNode[]): ClockNames {
  const users = new Map<string, number>();
  for (const node of nodes) {
    if (node.kind !== 'processor') continue;
    for (const store of node.operator.stores) users.set(store, (users.get(store) ?? 0) + 1);
  }
  const names = new Map<string, string>();
  const taken = new Set<string>();
  for (const node of nodes) {
    if (node.kind !== 'processor') continue;
    const { stores } = node.operator;
    // A table's store may have many readers: one that nobody else uses says best whose clock it is.
    const store = stores.find((candidate) => users.get(candidate) === 1) ?? stores[0];
    if (store === undefined) continue;
    // No node's name has a slash in it.
    let name = `of/${store}`;
    for (let number = 2; taken.has(name); number++) name = `of/${store}/${number}`;
    taken.add(name);
    names.set(node.name, name);
  }
  return names;
}

/** The spec with its clock under the name that it is committed by. */
export function withClockName(spec: StoreSpec, names: ClockNames): StoreSpec {
  if (spec.kind !== 'ordered' || spec.expiry === null) return spec;
  const clock = names.get(spec.expiry.clock);
  return clock === undefined ? spec : { ...spec, expiry: { ...spec.expiry, clock } };
}
