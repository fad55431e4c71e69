// Topologies drawn node by node: twins of ../java/NodeTopologies.java.
import { TopologyBuilder } from '#libs/topology';
import { choose, collect, keyValues, plain } from './processors.ts';
import { consumed, produced } from './words.ts';
import type { Nullable } from './words.ts';

const source = (...topics: string[]): TopologyBuilder =>
  new TopologyBuilder().addSource('source', consumed, ...topics);

export const nodes: Readonly<Record<string, () => TopologyBuilder>> = {
  'nodes-processor': () =>
    source('in', 'other').addProcessor('plain', plain, 'source').addSink('sink', 'out', produced, 'plain'),
  'nodes-store': () =>
    source('in')
      .addProcessor('collect', collect, 'source')
      .addProcessor('again', collect, 'source')
      .addStateStore(keyValues, 'collect', 'again')
      .addSink('sink', 'out', produced, 'collect', 'again'),
  'nodes-choice': () =>
    source('in')
      .addProcessor('choice', choose, 'source')
      .addProcessor('even', plain, 'choice')
      .addSink('sink', 'out', produced, 'even')
      .addSink('odd', 'odd', produced, 'choice')
      .addSink(
        'chosen',
        (_key: Nullable, value: Nullable) => (value === null ? 'none' : 'some'),
        produced,
        'even',
      ),
};
