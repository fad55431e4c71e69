// Owns what is known, before any record, of where keys and values come from: whether a key's bytes are those of the source record,
// whether a value is what a store was just set to. Then they need not be encoded again.
import type { AnySerde, GraphNode, SinkNode } from './graph.ts';

/**
 * Serdes that give back the very bytes they decoded. Others may write a key otherwise than it was read (JSON with a space in
 * it), so that its bytes in a topic of somebody else's are not its identity.
 */
const CANONICAL = new Set(['string', 'bytes', 'int32', 'int64', 'safeInteger', 'float64', 'boolean']);

const WINDOWED = /^(?:timeWindowed\((.*),[^,]*\)|sessionWindowed\((.*)\))$/;

/** A windowed serde is as canonical as that of its keys. */
export function isCanonical(name: string): boolean {
  const windowed = WINDOWED.exec(name);
  return windowed === null ? CANONICAL.has(name) : isCanonical(windowed[1] ?? windowed[2]!);
}

/** A serde's name is the identity of its encoding. */
export function sameEncoding(a: AnySerde | null, b: AnySerde | null): boolean {
  return a !== null && b !== null && (a === b || a.name === b.name);
}

/** Sources whose record's key is still the key at this node; `null`: the key was changed on the way. */
export type KeyOrigin = readonly { readonly keySerde: AnySerde; readonly canonical: boolean }[] | null;

/** The store that the value at this node was just set in, untouched since; `null`: none that is known. */
export type ValueOrigin = { readonly store: string; readonly valueSerde: AnySerde } | null;

export interface Provenance {
  readonly key: KeyOrigin;
  readonly value: ValueOrigin;
}

/** By node, for the records that the node forwards. Parents come before children in `nodes`. */
export function traceProvenance(nodes: readonly GraphNode[]): Map<GraphNode, Provenance> {
  const traced = new Map<GraphNode, Provenance>();
  for (const node of nodes) traced.set(node, provenanceOf(node, traced));
  return traced;
}

/** The key as it reaches `node`. */
export function incomingKey(node: GraphNode, traced: ReadonlyMap<GraphNode, Provenance>): KeyOrigin {
  const origins: { readonly keySerde: AnySerde; readonly canonical: boolean }[] = [];
  for (const parent of node.parents) {
    const origin = traced.get(parent)?.key ?? null;
    if (origin === null) return null;
    origins.push(...origin);
  }
  return origins.length === 0 ? null : origins;
}

function incomingValue(node: GraphNode, traced: ReadonlyMap<GraphNode, Provenance>): ValueOrigin {
  const [first, ...others] = node.parents.map((parent) =>
    // A sibling that had the value before might have changed it.
    siblingsBefore(node, parent).some(runsUserCode) ? null : (traced.get(parent)?.value ?? null),
  );
  if (first === undefined || first === null) return null;
  return others.every((other) => other?.store === first.store) ? first : null;
}

function siblingsBefore(node: GraphNode, parent: GraphNode): readonly GraphNode[] {
  return parent.children.slice(0, parent.children.indexOf(node));
}

function runsUserCode(node: GraphNode): boolean {
  if (node.kind === 'sink') return typeof node.topic === 'function' || node.partitioner !== null;
  return (node.kind === 'processor' && node.operator.runsUserCode) || node.children.some(runsUserCode);
}

function provenanceOf(node: GraphNode, traced: ReadonlyMap<GraphNode, Provenance>): Provenance {
  if (node.kind === 'source') {
    const { keySerde } = node;
    const canonical = node.source === 'repartition' || isCanonical(keySerde.name);
    return { key: [{ keySerde, canonical }], value: null };
  }
  if (node.kind === 'sink') return { key: null, value: null };
  const { key, value, runsUserCode: mayChangeValue } = node.operator;
  return {
    key: key === 'changed' ? null : incomingKey(node, traced),
    value:
      typeof value === 'object'
        ? { store: value.fromStore, valueSerde: value.valueSerde }
        : value === 'changed' || mayChangeValue
          ? null
          : incomingValue(node, traced),
  };
}

/** Are the source record's key bytes what `keySerde` would write for this key, on every path that leads here? */
export function encodesAs(origin: KeyOrigin, keySerde: AnySerde): boolean {
  return origin?.every((source) => source.canonical && sameEncoding(source.keySerde, keySerde)) ?? false;
}

/** The store whose last encoding is that of the values reaching the sink; `null`: none. */
export function storeBehind(sink: SinkNode, traced: ReadonlyMap<GraphNode, Provenance>): string | null {
  const origin = incomingValue(sink, traced);
  return origin !== null && sameEncoding(origin.valueSerde, sink.valueSerde) ? origin.store : null;
}
