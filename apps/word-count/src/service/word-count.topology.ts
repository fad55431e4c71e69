// Owns what the service computes: how often each word was seen.
//
//   lines ─► words of each ─► by word ═(repartition topic)═► count ═(state store, changelog topic)═► word-counts
import { Consumed, Grouped, Materialized, Produced, Serdes } from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import { Topology } from '#libs/nestjs';
import type { TopologyClass } from '#libs/nestjs';
import { TOPICS } from './topics.ts';

@Topology()
export class WordCountTopology implements TopologyClass {
  build(builder: StreamsBuilder): void {
    const text = Serdes.string();
    builder
      .stream(TOPICS.lines, Consumed.with(text, text))
      .flatMapValues(wordsOf)
      .groupBy((_line, word) => word, Grouped.with(text, text, { name: 'by-word' }))
      .count(Materialized.as('counts', { keySerde: text }))
      .toStream()
      .to(TOPICS.wordCounts, Produced.with(text, Serdes.json<number>()));
  }
}

/** In lower case, without what stands around them. */
export function wordsOf(line: string): string[] {
  return line.toLowerCase().match(/\p{L}+(?:['’]\p{L}+)?/gu) ?? [];
}
