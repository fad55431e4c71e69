// docs/guide/evolution.md shows the code that runs here.
import { describe, expect, it } from '@jest/globals';
import type { Topology } from '#libs/topology';
import { guidePage } from './guide-pages.ts';
import * as snippets from './guide-evolution-snippets.ts';

/** What a topology keeps under names, and what each store must have in common with what wrote it. */
const keptBy = ({ subTopologies, repartitions }: Topology): readonly string[] => [
  ...repartitions.map(({ name }) => `${name}-repartition`),
  ...subTopologies
    .flatMap(({ stores }) => stores)
    .map(
      ({ name, kind, layout, keySerde, valueSerde }) =>
        `${name}: ${kind}, ${layout ?? 'plain'}, ${keySerde.name}, ${valueSerde.name}`,
    ),
];

describe('the guide to evolution', () => {
  it('shows the code that runs here, and no other', () => {
    const { shown, written, blocks } = guidePage('evolution');
    expect(shown).toEqual(written);
    expect(blocks).toBe(Object.keys(shown).length);
  });

  it('keeps state and topics over harmless changes', () => {
    expect(keptBy(snippets.harmless())).toEqual(keptBy(snippets.before()));
  });

  it('gives a changed store another name, and nothing else', () => {
    const before = keptBy(snippets.before());
    const after = keptBy(snippets.renamed());
    expect(after.filter((item) => before.includes(item))).toEqual(['by-page-repartition']);
    expect(after).toHaveLength(before.length);
  });

  it('shows what describe() says', () => {
    const described = snippets.before().describe();
    expect(described).toContain(
      '    Source: by-page-repartition-source (topics: [by-page-repartition])\n      --> KSTREAM-AGGREGATE-0000000002\n    Processor: KSTREAM-AGGREGATE-0000000002 (stores: [clicks-by-page])\n',
    );
  });

  it('makes an optimisation part of what a store is', () => {
    expect(keptBy(snippets.optimized())).toEqual([
      'users: keyValue, restored from its topic, string, string',
    ]);
  });
});
