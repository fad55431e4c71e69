// Owns the end of a run that ends: the counts drawn, and held against a plain recount of the lines, which shares no code with the topology.
import { Serdes, readTopic } from '#libs/millrace';
import type { KafkaConnection } from '#libs/millrace';
import { TerminalScreen, TopicTable, say } from '../../lesson-kit/src/index.ts';
import { drawing } from './chart.ts';
import { TOPICS } from './service/topics.ts';

/** Resolves to the exit code. */
export async function verdict(kafka: KafkaConnection): Promise<number> {
  const counts = new TopicTable<number>(TOPICS.wordCounts, Serdes.json<number>());
  await counts.read(kafka);
  new TerminalScreen().print(drawing(counts.rows, 'all lines are counted'));
  const wrong = differences(await recount(kafka), counts.rows);
  for (const line of wrong) say(line);
  say(wrong.length === 0 ? '\nCounted again, plainly: the same for every word.' : '\nThe counts are wrong.');
  return wrong.length === 0 ? 0 : 1;
}

/** Plainly: all lines of the topic, word by word into a map. */
async function recount(kafka: KafkaConnection): Promise<Map<string, number>> {
  const text = Serdes.string();
  const counts = new Map<string, number>();
  for await (const { value } of readTopic({ kafka, topic: TOPICS.lines, keySerde: text, valueSerde: text })) {
    for (const piece of (value ?? '').split(/[\s,.:]+/)) {
      const word = piece.toLowerCase().replace(/'$/, '');
      if (word !== '') counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return counts;
}

/** A sentence for each word whose count is not the recounted one. */
export function differences(
  expected: ReadonlyMap<string, number>,
  actual: ReadonlyMap<string, number>,
): string[] {
  return [...new Set([...expected.keys(), ...actual.keys()])]
    .filter((word) => expected.get(word) !== actual.get(word))
    .map(
      (word) => `'${word}': the service has ${actual.get(word) ?? 0}, the topic ${expected.get(word) ?? 0}`,
    );
}
