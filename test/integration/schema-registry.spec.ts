// Specifies applications that read, keep and write Avro by a real schema registry and a real broker. What is on the topics is judged by avsc
// and the registry's REST interface, not by our own serdes.
import { beforeEach, expect, it } from '@jest/globals';
import { sleep, systemClock } from '#libs/core';
import { SchemaRegistryClient, StreamsApplication, silentLogger } from '#libs/millrace';
import type { StreamsApplicationOptions } from '#libs/millrace';
import { createTopic, publish, runToEnd } from '../support/bad-input.ts';
import { uniqueName } from '../support/broker.ts';
import {
  delaysSchema,
  delaysTopology,
  flightSchema,
  framed,
  rawRecords,
  withField,
} from '../support/flights-avro.ts';
import type { Delays, FlightTopics } from '../support/flights-avro.ts';
import { RegistryRest, describeWithBrokerAndRegistry } from '../support/registry.ts';

describeWithBrokerAndRegistry('an application with Avro, a real registry', (broker, registry) => {
  let topics: FlightTopics;
  let applicationId: string;
  let rest: RegistryRest;
  let flightId: number;

  const client = (): SchemaRegistryClient => new SchemaRegistryClient({ host: registry().url });
  const options = (topology: StreamsApplicationOptions['topology']): StreamsApplicationOptions => ({
    applicationId,
    kafka: { brokers: broker().bootstrapServers },
    topology,
    commitIntervalMs: 50,
  });
  const changelog = (): string => `${applicationId}-delays-changelog`;
  const flights = (count: number, origins = ['JFK', 'LAX', 'ORD'], from = 0): object[] =>
    Array.from({ length: count }, (_, i) => ({
      origin: origins[(from + i) % origins.length]!,
      delay: from + i,
    }));
  const send = (values: readonly object[], id = flightId, schema: object = flightSchema): Promise<void> =>
    publish(
      broker(),
      topics.input,
      values.map((value, index) => ({ key: String(index), value: framed(id, schema, value) })),
    );
  /** The last value by key: each output is a new total. */
  const totals = async (topic: string): Promise<Record<string, Delays>> => {
    const last: Record<string, Delays> = {};
    for (const { key, value } of await rawRecords(broker(), rest, topic)) last[key!] = value as Delays;
    return last;
  };
  const expected = (values: readonly object[]): Record<string, Delays> => {
    const sums: Record<string, { flights: number; minutes: number }> = {};
    for (const { origin, delay } of values as { origin: string; delay: number }[]) {
      const sum = (sums[origin] ??= { flights: 0, minutes: 0 });
      sum.flights++;
      sum.minutes += delay;
    }
    return sums;
  };

  beforeEach(async () => {
    rest = new RegistryRest(registry());
    topics = { input: uniqueName('flights'), output: uniqueName('delays') };
    applicationId = uniqueName('app');
    await createTopic(broker(), topics.input, 2);
    await createTopic(broker(), topics.output, 2);
    flightId = await rest.register(`${topics.input}-value`, flightSchema);
  });

  it('reads, keeps and writes what avsc alone reads and writes, under subjects of its own for internal topics', async () => {
    const given = flights(100);
    await send(given);
    const { error } = await runToEnd(options(delaysTopology(topics, client())));
    expect(error).toBeNull();
    expect(await totals(topics.output)).toEqual(expected(given));
    expect(await totals(changelog())).toEqual(expected(given));
    expect(await rest.subjects(applicationId)).toEqual([
      `${applicationId}-by-origin-repartition-value`,
      `${changelog()}-value`,
    ]);
    // Ids go by content: the repartition topic has the very schema of the input.
    const passed = await rawRecords(broker(), rest, `${applicationId}-by-origin-repartition`);
    expect(new Set(passed.map(({ id }) => id))).toEqual(
      passed.length === 0 ? new Set() : new Set([flightId]),
    );
    const [first] = await rawRecords(broker(), rest, topics.output);
    expect(await rest.schema(first!.id)).toEqual(delaysSchema);
  });

  it('goes on over a new version of input, state and output, and keeps what the old one counted', async () => {
    const before = flights(60);
    await send(before);
    expect((await runToEnd(options(delaysTopology(topics, client())))).error).toBeNull();
    const flight = withField(flightSchema, { name: 'carrier', type: ['null', 'string'], default: null });
    const delays = withField(delaysSchema, { name: 'note', type: 'string', default: 'none' });
    const newId = await rest.register(`${topics.input}-value`, flight);
    const after = flights(60, ['JFK', 'SFO'], 60);
    // Of both versions, in turn.
    await send(after.slice(0, 30), newId, flight);
    await send(after.slice(30));
    expect((await runToEnd(options(delaysTopology(topics, client(), { flight, delays })))).error).toBeNull();
    const total = expected([...before, ...after]);
    const state = await totals(changelog());
    for (const [origin, sum] of Object.entries(total)) expect(state[origin]).toMatchObject(sum);
    expect(state['JFK']).toHaveProperty('note', 'none');
    // Not touched since: it is still what the first version wrote.
    expect(state['LAX']).not.toHaveProperty('note');
    expect(await rest.versions(`${changelog()}-value`)).toEqual([1, 2]);
  });

  it('refuses an incompatible change at the start, by name, and loses nothing: the old one goes on', async () => {
    const before = flights(30);
    await send(before);
    expect((await runToEnd(options(delaysTopology(topics, client())))).error).toBeNull();
    const written = (await rawRecords(broker(), rest, topics.output)).length;
    const after = flights(30, ['JFK'], 30);
    await send(after);
    const delays = { ...delaysSchema, fields: [{ name: 'flights', type: 'string' }] };
    const { error } = await runToEnd(options(delaysTopology(topics, client(), { delays })));
    expect(error).toMatchObject({ code: 'MILLRACE_SCHEMA_INCOMPATIBLE', context: { version: 1 } });
    expect(error!.message).toContain(`${changelog()}-value`);
    expect(await rawRecords(broker(), rest, topics.output)).toHaveLength(written);
    expect(await rest.versions(`${changelog()}-value`)).toEqual([1]);
    expect((await runToEnd(options(delaysTopology(topics, client())))).error).toBeNull();
    expect(await totals(topics.output)).toEqual(expected([...before, ...after]));
  });

  it("passes on the registry's reason where its rule refuses a schema that is only written", async () => {
    const delays = withField(delaysSchema, { name: 'note', type: 'string' });
    await rest.register(`${topics.output}-value`, delaysSchema);
    await rest.compatibility(`${topics.output}-value`, 'BACKWARD');
    const { error } = await runToEnd(options(delaysTopology(topics, client(), { delays })));
    expect(error).toMatchObject({
      code: 'MILLRACE_SCHEMA_INCOMPATIBLE',
      context: { subject: `${topics.output}-value`, version: 1, reason: expect.stringContaining('note') },
    });
    expect(await rest.versions(`${topics.output}-value`)).toEqual([1]);
    // The state's subject of the same schema was not registered on the way to the refusal either.
    expect(await rest.subjects(changelog())).toEqual([]);
  });

  it('refuses at the start to write where the schema is not registered, unless told to register it', async () => {
    await send(flights(3));
    const { error } = await runToEnd(options(delaysTopology(topics, client(), {}, { register: 'internal' })));
    expect(error).toMatchObject({
      code: 'MILLRACE_SCHEMA_MISSING',
      context: { subject: `${topics.output}-value`, latest: null },
    });
    await rest.register(`${topics.output}-value`, delaysSchema);
    const again = await runToEnd(options(delaysTopology(topics, client(), {}, { register: 'internal' })));
    expect(again.error).toBeNull();
    expect(await totals(topics.output)).toEqual(expected(flights(3)));
  });

  it('waits while the registry is down, skips nothing, and is exactly once when it is back', async () => {
    const warnings: string[] = [];
    const application = new StreamsApplication({
      ...options(delaysTopology(topics, client())),
      state: 'memory',
      instanceId: 'one',
      logger: { ...silentLogger, warn: (message) => void warnings.push(message) },
    });
    const processed = (): number => application.figures?.processedRecords ?? 0;
    const until = async (done: () => boolean): Promise<void> => {
      while (!done() && application.error === null) await sleep(systemClock, 50);
    };
    const [before, known, unknown, behind] = [
      flights(40),
      flights(20, ['JFK'], 40),
      flights(20, ['LAX'], 60),
      flights(20, ['ORD'], 80),
    ];
    try {
      await application.start();
      await send(before);
      // Each is processed behind the input and behind the repartition.
      await until(() => processed() === 80);
      // A version that the application has not seen when the registry goes.
      const newer = withField(flightSchema, { name: 'carrier', type: 'string', default: '' });
      const newId = await rest.register(`${topics.input}-value`, newer);
      await registry().kill();
      await send(known);
      await until(() => processed() === 120);
      await send(
        unknown.map((flight) => ({ ...flight, carrier: 'x' })),
        newId,
        newer,
      );
      await send(behind);
      await until(() => warnings.some((text) => text.includes('MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE')));
      expect(application.error).toBeNull();
      expect(application.state).toBe('RUNNING');
      await registry().restart();
      await until(() => processed() === 200);
      // What was suspended is committed by the stop.
    } finally {
      await application.stop();
    }
    expect(application.error).toBeNull();
    expect(await totals(topics.output)).toEqual(expected([...before, ...known, ...unknown, ...behind]));
    const outputs = await rawRecords(broker(), rest, topics.output);
    expect(outputs).toHaveLength(100);
  });

  it('waits for the registry at the start, and can be stopped meanwhile', async () => {
    await send(flights(10));
    await registry().kill();
    try {
      const stopped = new StreamsApplication({
        ...options(delaysTopology(topics, client())),
        state: 'memory',
        instanceId: 'one',
        logger: silentLogger,
      });
      const starting = stopped.start();
      await sleep(systemClock, 1_500);
      expect(stopped.state).toBe('REBALANCING');
      await stopped.stop();
      await starting;
      expect(stopped.error).toBeNull();
    } finally {
      const running = runToEnd(options(delaysTopology(topics, client())));
      await registry().restart();
      expect((await running).error).toBeNull();
    }
    expect(await totals(topics.output)).toEqual(expected(flights(10)));
  });
});
