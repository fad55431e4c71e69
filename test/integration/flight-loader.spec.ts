import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';

import { readDataset } from '../../apps/flight-delays/src/data/dataset.ts';
import type { Dataset } from '../../apps/flight-delays/src/data/dataset.ts';
import { flightTime } from '../../apps/flight-delays/src/data/flight.ts';
import { load } from '../../apps/flight-delays/src/loader/load.ts';
import { TOPICS } from '../../apps/flight-delays/src/loader/topics.ts';
import { describeWithBroker } from '../support/broker.ts';
import { readPlain } from '../support/java-reader.ts';

describeWithBroker('the loader of flights', (broker) => {
  let dataset: Dataset;
  const deleteTopics = async (): Promise<void> => {
    const kafka = new Kafka({ brokers: [...broker().bootstrapServers], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    const ours: string[] = Object.values(TOPICS);
    const topics = (await admin.listTopics()).filter((topic) => ours.includes(topic));
    if (topics.length > 0) await admin.deleteTopics({ topics });
    await admin.disconnect();
  };
  beforeAll(async () => {
    await deleteTopics();
    dataset = await readDataset();
  });
  afterAll(deleteTopics);

  it('publishes every airport and flight once, though it was stopped in between and is run again', async () => {
    const stop = new AbortController();
    const brokers = broker().bootstrapServers;
    const onProgress = (topic: string, done: number): void => {
      if (topic === TOPICS.flights && done >= 5_000) stop.abort();
    };
    const first = await load({ brokers, dataset, onProgress, signal: stop.signal });
    expect(first.airports).toBe(3376);
    expect(first.flights).toBeGreaterThanOrEqual(5_000);
    expect(first.flights).toBeLessThan(20_000);
    expect(await load({ brokers, dataset })).toEqual({ airports: 0, flights: 20_000 - first.flights });
    expect(await load({ brokers, dataset })).toEqual({ airports: 0, flights: 0 });

    const flights = await readPlain(broker(), TOPICS.flights);
    const sorted = (values: (string | null)[]): (string | null)[] => values.toSorted();
    expect(sorted(flights.map(({ value }) => value))).toEqual(
      sorted(dataset.flights.map((f) => JSON.stringify(f))),
    );
    const airports = await readPlain(broker(), TOPICS.airports);
    expect(airports).toHaveLength(3376);
    const firstFlight = flightTime(dataset.flights[0]!);
    expect(airports.every(({ timestamp }) => timestamp < firstFlight)).toBe(true);
    // An airport and its flights lie in the same partition, or they would never join.
    const partitionOf = new Map(airports.map(({ key, partition }) => [key, partition]));
    expect(flights.every(({ key, partition }) => partitionOf.get(key) === partition)).toBe(true);
  }, 120_000);
});
