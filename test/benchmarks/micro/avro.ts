// Encoding and decoding a flight in Avro, framed as a schema registry wants it, beside JSON: as tasks do it, from and into a batch's bytes.
// node --conditions=millrace-source test/benchmarks/micro/avro.ts [records]
//
// One row a serde: bytes of a record, nanoseconds of the processor for writing and reading one. `older` reads what another version of the
// schema wrote, by a resolver.
import { SchemaRegistryClient, Serdes, compileCodec } from '#libs/serde';
import type { AvroSchema, Serde } from '#libs/serde';

const COUNT = Number(process.argv[2] ?? 200_000);
const ROUNDS = 5;
const BATCH = 1_000;

interface Flight {
  readonly date: string;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

const fields = [
  { name: 'date', type: 'string' },
  { name: 'delay', type: 'int' },
  { name: 'distance', type: 'int' },
  { name: 'origin', type: 'string' },
  { name: 'destination', type: 'string' },
];
const schema: AvroSchema = { type: 'record', name: 'Flight', fields };
const newer: AvroSchema = {
  type: 'record',
  name: 'Flight',
  fields: [...fields, { name: 'carrier', type: ['null', 'string'], default: null }],
};

const AIRPORTS = ['JFK', 'LAX', 'ORD', 'DFW', 'SFO', 'ATL', 'DEN'];
const flights: Flight[] = Array.from({ length: BATCH }, (_, i) => ({
  date: `2001-01-${String(1 + (i % 28)).padStart(2, '0')} ${String(i % 24).padStart(2, '0')}:15`,
  delay: (i * 37) % 240,
  distance: 100 + ((i * 91) % 2500),
  origin: AIRPORTS[i % 7]!,
  destination: AIRPORTS[(i * 3 + 1) % 7]!,
}));

const registry = new SchemaRegistryClient({ host: 'memory://benchmark' });
const use = { topic: 'flights', part: 'value', reads: true, writes: true, kind: 'external' } as const;

async function prepared(of: AvroSchema): Promise<Serde<Flight>> {
  const serde = registry.avro<Flight>({ schema: of });
  await serde.prepare!([use]);
  return serde;
}

/** Nanoseconds of the processor for one record: the best of some rounds. */
function measure(run: () => void): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const from = process.cpuUsage();
    for (let done = 0; done < COUNT; done += BATCH) run();
    const { user, system } = process.cpuUsage(from);
    best = Math.min(best, ((user + system) * 1000) / COUNT);
  }
  return best;
}

const bytes = Buffer.alloc(BATCH * 400);
const ends = new Int32Array(BATCH + 1);
let sum = 0;

function row(name: string, writer: Serde<Flight>, reader: Serde<Flight> = writer): void {
  const write = compileCodec(writer);
  const read = compileCodec(reader);
  const encode = measure(() => {
    let at = 0;
    for (let i = 0; i < BATCH; i++) {
      at = write.writeTo!(flights[i]!, bytes, at);
      ends[i + 1] = at;
    }
  });
  const text = bytes.toString('latin1', 0, ends[BATCH]);
  const decode = measure(() => {
    for (let i = 0; i < BATCH; i++) {
      const flight = read.decodeRange!(text, ends[i]!, ends[i + 1]!, bytes, true);
      sum += flight.delay + flight.origin.length + flight.date.length;
    }
  });
  const size = (ends[BATCH]! / BATCH).toFixed(1);
  console.log(
    `${name.padEnd(28)} ${size.padStart(7)} B ${encode.toFixed(0).padStart(6)} ns ${decode.toFixed(0).padStart(6)} ns`,
  );
}

console.log(`${''.padEnd(28)}    size      write     read`);
row('JSON', Serdes.json<Flight>());
row('Avro', Serdes.avro<Flight>(schema));
const old = await prepared(schema);
row('Avro, registry', old);
row('Avro, registry, older', old, await prepared(newer));
if (sum === 0) throw new Error('nothing was read');
