// Measures the JSON codec against JSON.parse and JSON.stringify: npm run -s node -- test/benchmarks/micro/json.ts
// Records of about 100 bytes, 10,000 to a batch; best of several rounds.
import { RecordBatchEncoder } from '#libs/broker';
import { Serdes, compileCodec } from '#libs/serde';

const RECORDS = 10_000;
const ROUNDS = 40;

type Row = Record<string, unknown>;

const workloads: Record<string, (i: number) => Row | number> = {
  'integers, short strings': (i) => ({
    id: i * 31,
    account: `k${(i * 7919) % 100_000}`,
    amount: i % 1000,
    ts: 1_700_000_000_000 + i,
  }),
  'with decimals and text': (i) => ({
    id: i * 31,
    account: `k${(i * 7919) % 100_000}`,
    amount: (i % 100_000) / 100,
    ts: 1_700_000_000_000 + i,
    note: 'a note of some length',
  }),
  'sums of doubles': (i) => ({
    account: `k${(i * 7919) % 100_000}`,
    count: i,
    sum: i * 0.1 + 0.2,
    last: 1_700_000_000_000 + i,
  }),
  'nested, array, escapes': (i) => ({
    id: i,
    user: { name: 'Zoë "Z"', age: i % 90 },
    tags: ['a', 'b'],
    open: i % 2 === 0,
    none: null,
  }),
  'a number': (i) => i * 3,
};

function measure(name: string, run: () => void): number {
  for (let i = 0; i < 15; i++) run();
  let best = Infinity;
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  const nanoseconds = (best * 1e6) / RECORDS;
  console.log(`  ${name.padEnd(44)} ${nanoseconds.toFixed(1).padStart(7)} ns/record`);
  return nanoseconds;
}

let sink: unknown;
for (const [name, make] of Object.entries(workloads)) {
  const values = Array.from({ length: RECORDS }, (_, i) => make(i));
  const texts = values.map((value) => JSON.stringify(value));
  const bytes = Buffer.from(texts.join(','));
  const text = bytes.toString('latin1');
  const starts = new Int32Array(RECORDS);
  const ends = new Int32Array(RECORDS);
  for (let i = 0, at = 0; i < RECORDS; i++) {
    starts[i] = at;
    at += Buffer.byteLength(texts[i]!);
    ends[i] = at++;
  }
  console.log(`${name}: ${texts[RECORDS - 1]!}`);
  const codec = compileCodec(Serdes.json());
  const { decodeRange, toText } = codec;
  measure('JSON.parse of the substring', () => {
    for (let i = 0; i < RECORDS; i++) sink = JSON.parse(text.substring(starts[i]!, ends[i]));
  });
  measure('decodeRange', () => {
    for (let i = 0; i < RECORDS; i++) sink = decodeRange!(text, starts[i]!, ends[i]!, bytes);
  });
  measure('decodeRange without bytes', () => {
    for (let i = 0; i < RECORDS; i++) sink = decodeRange!(text, starts[i]!, ends[i]!);
  });
  measure('JSON.stringify', () => {
    for (let i = 0; i < RECORDS; i++) sink = JSON.stringify(values[i]);
  });
  measure('toText', () => {
    for (let i = 0; i < RECORDS; i++) sink = toText!(values[i]);
  });
  const encoder = new RecordBatchEncoder();
  measure('JSON.stringify and append', () => {
    for (let i = 0; i < RECORDS; i++) sink = encoder.appendText(i, null, JSON.stringify(values[i]));
    encoder.reset();
  });
  measure('toText and append', () => {
    for (let i = 0; i < RECORDS; i++) sink = encoder.appendText(i, null, toText!(values[i]));
    encoder.reset();
  });
  const { writeTo } = codec;
  measure('writeTo in place', () => {
    for (let i = 0; i < RECORDS; i++) {
      if (encoder.appendValue(i, null, values[i], writeTo!) < 0)
        encoder.appendText(i, null, toText!(values[i]));
    }
    encoder.reset();
  });
  measure('toBinary', () => {
    for (let i = 0; i < RECORDS; i++) sink = codec.toBinary(values[i]);
  });
}
if (sink === undefined) throw new Error('nothing was measured');
