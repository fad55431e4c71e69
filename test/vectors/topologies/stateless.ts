// Operators without state, sources and sinks: twins of ../java/StatelessTopologies.java.
import { Consumed, KeyValue, Repartitioned } from '#libs/topology';
import { consumed, digit, effects, kept, letter, out, produced, stream, text, to } from './words.ts';
import type { Nullable, Topologies } from './words.ts';

const again = Repartitioned.as('again', { keySerde: text, valueSerde: text });
const effect = (key: Nullable, value: Nullable): void => void effects.push(`${String(key)},${String(value)}`);

export const stateless: Topologies = {
  filter: (b) => out(stream(b).filter((_k, v) => v !== null && digit(v) > 4)),
  'filter-by-key': (b) => out(stream(b).filter((k) => k !== null && k !== 'a')),
  'filter-not': (b) => out(stream(b).filterNot((_k, v) => v === null || digit(v) > 4)),
  map: (b) => out(stream(b).map((k, v) => KeyValue.pair(v, k))),
  'map-values': (b) =>
    out(stream(b).mapValues((v, k) => (v === null ? 'none' : digit(v) === 0 ? null : String(k) + v))),
  'flat-map': (b) =>
    out(
      stream(b).flatMap<Nullable, Nullable>((k, v) =>
        v === null ? [] : [KeyValue.pair(k, v), KeyValue.pair(v, k), KeyValue.pair(null, null)],
      ),
    ),
  'flat-map-values': (b) => out(stream(b).flatMapValues((v) => (v === null ? [] : [v, `${v}!`]))),
  'select-key': (b) => out(stream(b).selectKey((k, v) => (v === null ? null : String(k) + letter(v)))),
  peek: (b) =>
    out(
      stream(b)
        .peek(effect)
        .filter((_k, v) => v !== null),
    ),
  foreach: (b) => stream(b).foreach(effect),
  merge: (b) =>
    out(
      stream(b)
        .mapValues((v) => `1${String(v)}`)
        .merge(stream(b, 'other')),
    ),
  'several-topics': (b) => out(b.stream<Nullable, Nullable>(['in', 'other'], consumed)),
  split: (b) => {
    const { none, big, rest } = stream(b)
      .split('x-')
      .branch('none', (_k, v) => v === null)
      .branch('big', (_k, v) => digit(v) > 3)
      .defaultBranch('rest');
    out(none.mapValues(() => 'none').merge(rest));
    to(big, 'big');
  },
  'split-no-default': (b) => {
    const { big, middle } = stream(b).branch({
      big: (_k, v) => digit(v) > 6,
      middle: (_k, v) => digit(v) > 2,
    });
    out(big);
    to(middle, 'middle');
  },
  'to-chosen-topic': (b) => stream(b).to((_k, v) => (v === null ? 'out' : `out-${letter(v)}`), produced),
  repartition: (b) => out(stream(b).repartition(again)),
  'repartition-after-select-key': (b) =>
    out(
      stream(b)
        .selectKey((_k, v) => v)
        .repartition(again)
        .mapValues((v, k) => String(k) + String(v)),
    ),
  headers: (b) => {
    const s = stream(b);
    out(s.filter((_k, v) => v !== null).flatMapValues((v) => [v, `${String(v)}!`]));
    to(s.selectKey((_k, v) => v).repartition(again), 'again');
  },
  'timestamp-extractor': (b) =>
    out(
      b.stream<Nullable, Nullable>(
        'in',
        Consumed.with(text, text, {
          timestampExtractor: (value, _key, timestamp, partitionTime) =>
            (value as Nullable) === null ? Math.max(partitionTime, 7) : timestamp + 1000 * digit(value),
        }),
      ),
    ),
  'to-table': (b) => out(stream(b).toTable(kept('latest')).toStream()),
  'to-table-after-select-key': (b) =>
    out(
      stream(b)
        .filter((_k, v) => v !== null)
        .map((k, v) => KeyValue.pair(letter(v), digit(v) === 0 ? null : String(k) + String(v)))
        .toTable(kept('latest'))
        .toStream(),
    ),
  'stateless-chain': (b) =>
    out(
      stream(b)
        .filter((_k, v): v is string => v !== null)
        .flatMapValues((v) => (digit(v) === 1 ? [] : [v, `${v}!`]))
        .map((k, v) => KeyValue.pair<Nullable, Nullable>(v, k))
        .flatMap<Nullable, Nullable>((k, v) => [KeyValue.pair(v, k), KeyValue.pair(k, v)])
        .filterNot((k) => k !== null && k.endsWith('!'))
        .selectKey((_k, v) => v)
        .mapValues((v, k) => String(v) + String(k)),
    ),
};
