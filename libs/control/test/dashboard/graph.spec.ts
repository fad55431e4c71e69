// Specifies what is drawn of a topology, what its edges say, and that elkjs places all of it without overlaps.
import { describe, expect, it } from '@jest/globals';
import elkModule from 'elkjs/lib/elk.bundled.js';
import {
  drawingOf,
  elkGraphOf,
  estimated,
  fitOf,
  labelOf,
  layOut,
  roundedPath,
} from '../../src/dashboard/client/graph-layout.ts';
import type { ElkLike, Rectangle } from '../../src/dashboard/client/graph-layout.ts';
import {
  CHOSEN,
  dropsOf,
  edgeFigures,
  modelOf,
  writtenBeside,
} from '../../src/dashboard/client/graph-model.ts';
import type { Edge } from '../../src/dashboard/client/graph-model.ts';
import type { DescribedNode, DescribedTopology, Snapshot } from '../../src/dashboard/client/wire.ts';

const ELK = elkModule as unknown as new () => ElkLike;

function node(name: string, kind: DescribedNode['kind'], more: Partial<DescribedNode> = {}): DescribedNode {
  return {
    name,
    kind,
    internal: false,
    topics: [],
    topic: null,
    stores: [],
    globalStores: [],
    children: [],
    ...more,
  };
}

const to = (...names: string[]): DescribedNode['children'] => names.map((name) => ({ name, side: null }));

const topology: DescribedTopology = {
  subTopologies: [
    {
      id: 0,
      nodes: [
        node('in', 'source', { topics: ['orders', 'returns'], children: to('sum') }),
        node('sum', 'processor', {
          stores: ['sums'],
          globalStores: ['rates'],
          children: [
            { name: 'out', side: null },
            { name: 'late', side: 'too late' },
          ],
        }),
        node('out', 'sink', { topic: 'app-again-repartition', internal: true }),
        node('late', 'sink', { topic: null }),
      ],
      stores: [{ name: 'sums', kind: 'keyValue', logged: true, persistence: 'default' }],
    },
    {
      id: 1,
      nodes: [
        node('again', 'source', { topics: ['app-again-repartition'], internal: true, children: to('done') }),
        node('done', 'sink', { topic: 'done' }),
      ],
      stores: [],
    },
  ],
  globalStores: [{ name: 'rates', topic: 'exchange-rates' }],
};

const model = modelOf(topology);
const edge = (from: string, target: string): Edge =>
  model.edges.find((one) => one.from === from && one.to === target)!;

function figures(more: Partial<Snapshot>): Snapshot {
  return { inputs: [], outputs: [], tasks: [], paused: false, ...more } as unknown as Snapshot;
}

describe('the model of a topology', () => {
  it('has a box for each topic, node and store, and joins sub-topologies by their topics', () => {
    expect(model.boxes.map(({ kind, name, group }) => `${kind} ${name} ${group ?? '-'}`).sort()).toEqual([
      `globalStore rates -`,
      'processor sum 0',
      'repartition app-again-repartition -',
      'sink done 1',
      'sink late 0',
      'sink out 0',
      'source again 1',
      'source in 0',
      'store sums 0',
      `topic ${CHOSEN} -`,
      'topic done -',
      'topic orders -',
      'topic returns -',
    ]);
    expect(
      model.edges.map(({ kind, from, to: target, side }) => [kind, from, target, side].join('|')).sort(),
    ).toEqual([
      'flow|node 0 in|node 0 sum|',
      'flow|node 0 sum|node 0 late|too late',
      'flow|node 0 sum|node 0 out|',
      'flow|node 1 again|node 1 done|',
      'read|topic app-again-repartition|node 1 again|',
      'read|topic orders|node 0 in|',
      'read|topic returns|node 0 in|',
      'state|node 0 sum|global rates|',
      'state|node 0 sum|store 0 sums|',
      `write|node 0 late|topic ${CHOSEN}|`,
      'write|node 0 out|topic app-again-repartition|',
      'write|node 1 done|topic done|',
    ]);
    expect(new Set(model.edges.map(({ id }) => id)).size).toBe(model.edges.length);
  });

  it('tells of a read its rate, and the lag of all partitions that are here', () => {
    const partition = { source: 'in', topic: 'orders', committed: 0, bufferedBytes: 0, partitionTime: null };
    const read = edgeFigures(
      edge('topic orders', 'node 0 in'),
      model.edges,
      figures({
        inputs: [
          {
            subTopology: 0,
            source: 'in',
            topic: 'orders',
            kind: 'stream',
            records: 9,
            bytes: 90,
            recordsPerSecond: 5,
            bytesPerSecond: 50,
          },
          {
            subTopology: 0,
            source: 'in',
            topic: 'returns',
            kind: 'stream',
            records: 1,
            bytes: 1,
            recordsPerSecond: 1,
            bytesPerSecond: 1,
          },
        ],
        tasks: [
          {
            subTopology: 0,
            partitions: [{ ...partition, partition: 0, position: 1, endOffset: 101, lag: 100, lagMs: 30 }],
          },
          {
            subTopology: 0,
            partitions: [
              { ...partition, partition: 1, position: 1, endOffset: null, lag: null, lagMs: null },
            ],
          },
          {
            subTopology: 1,
            partitions: [{ ...partition, partition: 0, position: 1, endOffset: 1_000, lag: 999, lagMs: 1 }],
          },
        ] as unknown as Snapshot['tasks'],
      }),
    );
    expect(read).toEqual({
      recordsPerSecond: 5,
      bytesPerSecond: 50,
      records: 9,
      lag: 100,
      lagMs: 30,
      level: 'behind',
    });
  });

  it('gives a write a figure only where nobody else writes there', () => {
    const outputs = [
      {
        topic: 'done',
        kind: 'topic' as const,
        store: null,
        records: 3,
        bytes: 30,
        recordsPerSecond: 2,
        bytesPerSecond: 20,
      },
    ];
    const write = edge('node 1 done', 'topic done');
    expect(edgeFigures(write, model.edges, figures({ outputs }))).toMatchObject({ records: 3, level: 'ok' });
    const second: Edge = { ...write, id: 'another', from: 'node 0 sum' };
    expect(edgeFigures(write, [...model.edges, second], figures({ outputs }))).toBeNull();
    expect(edgeFigures(edge('node 0 in', 'node 0 sum'), model.edges, figures({ outputs }))).toBeNull();
  });

  it('names what is written beside the drawing, and what a node left out', () => {
    const output = { kind: 'topic' as const, store: null, bytes: 1, recordsPerSecond: 0, bytesPerSecond: 0 };
    const beside = writtenBeside(model, [
      { ...output, topic: 'dead', records: 1 },
      { ...output, topic: 'done', records: 1 },
      { ...output, topic: 'never', records: 0 },
      { ...output, topic: 'app-sums-changelog', kind: 'changelog', records: 5 },
    ]);
    expect(beside.map(({ topic }) => topic)).toEqual(['dead']);
    const drop = { code: 'X', kind: 'dropped' as const, records: 1 };
    const drops = ['0_1 sum', '1_0 sum', '0_1', '0_11 sum of all', '10_0 sum'].map((where) => ({
      ...drop,
      where,
    }));
    expect(dropsOf(drops, 0, 'sum').map(({ where }) => where)).toEqual(['0_1 sum']);
  });
});

describe('the layout', () => {
  it('asks for the sub-topologies as containers, and for room for what edges say', () => {
    const graph = elkGraphOf(model, 'RIGHT', estimated);
    const groups = graph.children!.filter(({ children }) => children !== undefined);
    expect(groups.map(({ id, children }) => [id, children!.length])).toEqual([
      ['group 0', 5],
      ['group 1', 2],
    ]);
    const labelled = graph
      .edges!.filter(({ labels }) => labels !== undefined)
      .map(({ id }) => id.split(' ')[0]);
    expect(labelled.filter((kind) => kind === 'read')).toHaveLength(3);
    expect(labelled.filter((kind) => kind === 'flow')).toHaveLength(1);
  });

  it.each(['RIGHT', 'DOWN'] as const)(
    'places everything, %s, with no box over another, nodes inside their groups',
    async (direction) => {
      const drawing = await layOut(model, new ELK(), direction, { width: 1_000, height: 600 });
      expect(drawing.direction).toBe(direction);
      expect(drawing.boxes).toHaveLength(model.boxes.length);
      expect(drawing.edges).toHaveLength(model.edges.length);
      for (const a of drawing.boxes) {
        expect(
          a.x >= 0 && a.y >= 0 && a.x + a.width <= drawing.width && a.y + a.height <= drawing.height,
        ).toBe(true);
        for (const b of drawing.boxes) expect(a === b || !overlap(a, b)).toBe(true);
        for (const group of drawing.groups) {
          expect([a.box.name, group.id, overlap(a, group)]).toEqual([
            a.box.name,
            group.id,
            a.box.group === group.id,
          ]);
        }
      }
      const labels = drawing.edges.flatMap(({ label }) => (label === null ? [] : [label]));
      expect(labels).toHaveLength(7);
      for (const label of labels) for (const box of drawing.boxes) expect(overlap(label, box)).toBe(false);
      for (const { path } of drawing.edges) expect(path).toMatch(/^M[\d. -]+ L/);
    },
  );

  it('chooses the direction in which it is drawn larger', async () => {
    const tall = await layOut(model, new ELK(), null, { width: 300, height: 3_000 });
    const wide = await layOut(model, new ELK(), null, { width: 3_000, height: 300 });
    expect([tall.direction, wide.direction]).toEqual(['DOWN', 'RIGHT']);
    expect(fitOf({ width: 200, height: 100 }, { width: 100, height: 100 })).toBe(0.5);
  });

  it('is not troubled by an edge that was not placed', () => {
    const drawing = drawingOf(
      model,
      {
        id: 'root',
        edges: [{ id: 'unknown', sources: [], targets: [] }],
        children: model.boxes.map(({ id }) => ({ id })).concat([{ id: 'group 0' }, { id: 'group 1' }]),
      },
      estimated,
    );
    expect(drawing.edges).toEqual([]);
  });

  it('writes names so short that they fit', () => {
    const box = { id: 'x', kind: 'processor' as const, group: 0 };
    const label = labelOf(
      { ...box, name: 'an-operator-with-a-name-that-goes-on-for-a-long-time' },
      estimated,
    );
    expect(label).toMatch(/^an-oper.*….*time$/);
    expect(estimated(label)).toBeLessThanOrEqual(200);
    expect(labelOf({ ...box, name: CHOSEN }, estimated)).toBe('chosen by record');
  });

  it('rounds the corners of lines', () => {
    const points = [
      { x: 0, y: 0 },
      { x: 100, y: 0 },
      { x: 100, y: 100 },
    ];
    expect(roundedPath(points)).toBe('M0 0 L92 0 Q100 0 100 8 L100 100');
    expect(roundedPath([])).toBe('');
    expect(roundedPath([points[0]!, points[0]!])).toBe('M0 0 L0 0');
  });
});

function overlap(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
