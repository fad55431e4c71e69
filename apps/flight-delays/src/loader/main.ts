// The loader on its own, against a broker that runs: `KAFKA_BROKERS=host:port node …/loader/main.js [flights a second]`.
import { readDataset } from '../data/dataset.ts';
import { load } from './load.ts';
import { loadProgress } from './load-progress.ts';

const brokers = (process.env['KAFKA_BROKERS'] ?? 'localhost:9092').split(',');
const perSecond = Number(process.argv[2] ?? 0);
const { airports, flights } = await load({
  brokers,
  dataset: await readDataset(),
  onProgress: loadProgress(),
  ...(perSecond > 0 ? { flightsPerSecond: perSecond } : {}),
});
console.log(`published ${airports} airports and ${flights} flights`);
