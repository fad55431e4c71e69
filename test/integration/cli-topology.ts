// The topology of the command line's specs, as a module that commands load: names of topics do not matter to stores.
import {
  Consumed,
  FailurePolicy,
  Grouped,
  Materialized,
  Produced,
  Serdes,
  StreamsBuilder,
  TimeWindows,
  minutes,
} from '#libs/millrace';

const text = Serdes.string();
const number = Serdes.json<number>();

/** Counts words: in all, and by minute. What reads `poison` cannot be processed. */
export function wordTopology(lines: string, out: string, dead: string): StreamsBuilder {
  const builder = new StreamsBuilder();
  const words = builder
    .stream(lines, Consumed.with(text, text, { failurePolicy: FailurePolicy.deadLetter(dead) }))
    .mapValues((word) => {
      if (word.startsWith('poison')) throw new RangeError(`${word} is none`);
      return word;
    })
    .groupBy((_key, word) => word, Grouped.with(text, text));
  words
    .count(Materialized.as('counts', { keySerde: text, valueSerde: number }))
    .toStream()
    .to(out, Produced.with(text, number));
  words
    .windowedBy(TimeWindows.ofSizeWithNoGrace(minutes(1)))
    .count(Materialized.as('per-minute', { keySerde: text, valueSerde: number }));
  return builder;
}

export const builder = wordTopology('lines', 'out', 'dead');
