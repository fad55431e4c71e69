// Measures the record batch codec alone: npm run -s node -- test/benchmarks/micro/record-batch.ts
// 100-byte JSON values under short keys, batches of 10,000 records; best of several rounds.
import { RecordBatchEncoder, RecordColumns, readRecordBatches, stampBatch } from '#libs/broker';
import type { BinaryString } from '#libs/core';

const RECORDS = 10_000;
const ROUNDS = 60;

const keys: BinaryString[] = [];
const texts: string[] = [];
for (let i = 0; i < RECORDS; i++) {
  keys.push(`k${(i * 7919) % 100_000}` as BinaryString);
  texts.push(
    JSON.stringify({
      id: i * 31,
      account: `k${(i * 7919) % 100_000}`,
      amount: i * 1.5,
      ts: 1_700_000_000_000 + i,
      note: 'abcdefghijkl',
    }),
  );
}

function measure(name: string, run: () => void): void {
  for (let i = 0; i < 20; i++) run();
  let best = Infinity;
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  const nanoseconds = (best * 1e6) / RECORDS;
  console.log(
    `${name.padEnd(44)} ${nanoseconds.toFixed(1).padStart(7)} ns/record ${(1e3 / nanoseconds).toFixed(1).padStart(6)} M/s`,
  );
}

const encoder = new RecordBatchEncoder();
function encodeAll(): void {
  for (let i = 0; i < RECORDS; i++) encoder.appendText(1_700_000_000_000 + i, keys[i]!, texts[i]!);
}
encodeAll();
const batch = encoder.finish()!;
stampBatch(batch, { producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true });
const stamp = { producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true };

console.log(`batch of ${batch.bytes.length} bytes, ${(batch.bytes.length / RECORDS).toFixed(0)} a record`);
measure('encode text', () => {
  encodeAll();
  encoder.reset();
});
measure('encode binary', () => {
  for (let i = 0; i < RECORDS; i++)
    encoder.append(1_700_000_000_000 + i, keys[i]!, texts[i]! as BinaryString);
  encoder.reset();
});
measure('stamp (CRC-32C)', () => stampBatch(batch, stamp));
const columns = new RecordColumns();
measure('read headers, CRC-32C', () => readRecordBatches(batch.bytes));
measure('decode columns', () => {
  const [view] = readRecordBatches(batch.bytes, { checkCrc: false });
  columns.decode(view!, 0);
});
let sink = 0;
measure('decode columns, substring key and value', () => {
  const [view] = readRecordBatches(batch.bytes, { checkCrc: false });
  const count = columns.decode(view!, 0);
  for (let i = 0; i < count; i++) sink += columns.key(i)!.length + columns.value(i)!.length;
});
if (sink === 0) throw new Error('nothing was decoded');
