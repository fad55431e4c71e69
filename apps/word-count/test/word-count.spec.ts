import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Serdes, StreamsBuilder } from '#libs/millrace';
import { TopologyTestDriver } from '#libs/testing';
import { drawing, mostFrequent } from '../src/chart.ts';
import { readStory } from '../src/data/story.ts';
import { TOPICS } from '../src/service/topics.ts';
import { WordCountTopology, wordsOf } from '../src/service/word-count.topology.ts';

const text = Serdes.string();

describe('the word count', () => {
  let driver: TopologyTestDriver;

  beforeEach(async () => {
    const builder = new StreamsBuilder();
    new WordCountTopology().build(builder);
    driver = await TopologyTestDriver.start(builder, { instances: 2, partitions: 4 });
  });

  afterEach(() => driver.close());

  it('counts each word, in whatever line and partition it is', async () => {
    const lines = driver.inputTopic(TOPICS.lines, text, text);
    await lines.pipe('1', 'The mill, the river.', { partition: 0 });
    await lines.pipe('2', 'A river!', { partition: 3 });
    const counts = driver.outputTopic(TOPICS.wordCounts, text, Serdes.json<number>());
    expect(counts.readToMap()).toEqual(
      new Map([
        ['the', 2],
        ['mill', 1],
        ['river', 2],
        ['a', 1],
      ]),
    );
  });

  it('counts none twice and none less when a copy is killed in the middle of the story', async () => {
    const story = await readStory();
    const lines = driver.inputTopic(TOPICS.lines, text, text);
    const half = Math.floor(story.length / 2);
    for (const [index, line] of story.slice(0, half).entries()) await lines.append(String(index), line);
    await driver.step(40);
    await driver.crash(0);
    for (const [index, line] of story.slice(half).entries()) await lines.append(String(half + index), line);
    await driver.settle();
    await driver.restart(0);
    const expected = new Map<string, number>();
    for (const word of story.flatMap(wordsOf)) expected.set(word, (expected.get(word) ?? 0) + 1);
    const counts = driver.outputTopic(TOPICS.wordCounts, text, Serdes.json<number>());
    expect(counts.readToMap()).toEqual(expected);
  });
});

describe('the chart', () => {
  const counts = new Map([
    ['river', 3],
    ['mill', 5],
    ['book', 3],
  ]);

  it('has the most frequent words first', () => {
    expect(mostFrequent(counts, 2)).toEqual([
      ['mill', 5],
      ['book', 3],
    ]);
  });

  it('has as many lines with few words as with many', () => {
    const lines = (of: ReadonlyMap<string, number>): number =>
      drawing(of, 'running').picture({ columns: 60, colour: false }).split('\n').length;
    const many = new Map(Array.from({ length: 40 }, (_, index) => [`word${index}`, index]));
    expect(lines(counts)).toBe(lines(many));
    expect(lines(new Map())).toBe(lines(many));
  });

  it('is one line where there is no terminal', () => {
    expect(drawing(counts, 'running').line).toBe(
      '11 words, 3 different ones; running; mill 5, book 3, river 3',
    );
  });
});
