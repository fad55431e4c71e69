// Holds the server to its own description: the document is valid OpenAPI 3.1, it names every route, and real answers have the shapes it says.
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import {
  Consumed,
  Materialized,
  Produced,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  silentLogger,
} from '#libs/millrace';
import * as answers from '../src/schemas/answers.ts';
import { fakeApplication, startServer } from './fake-application.ts';
import type { Answer, TestServer } from './fake-application.ts';

const text = Serdes.string();
const number = Serdes.json<number>();

function topology(): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream('orders', Consumed.with(text, number))
    .selectKey((_key, value) => `k${value}`)
    .groupByKey({ name: 'by-value', keySerde: text, valueSerde: number })
    .reduce((sum, value) => sum + value, Materialized.as('sums'))
    .toStream()
    .to('sums', Produced.with(text, number));
  return builder;
}

let application: StreamsApplication;
let server: TestServer;
let kafka: SimulatedKafka;

beforeAll(async () => {
  kafka = new SimulatedKafka();
  kafka.createTopic('orders', 2);
  kafka.createTopic('sums', 2);
  application = new StreamsApplication({
    applicationId: 'orders',
    kafka,
    topology,
    state: 'memory',
    instanceId: 'one',
    logger: silentLogger,
    numStandbys: 1,
    exceptionHandlers: { deserialization: () => 'continue' },
  });
  server = await startServer({ applications: [application], allowActions: true });
  await application.start();
  await application.whenRunning();
  kafka.publish('orders', [
    { key: 'a', value: '1' },
    { key: 'b', value: '2' },
    { key: 'b', value: 'no JSON' },
  ]);
  while (kafka.lag('orders', ['orders', 'orders-by-value-repartition']) > 0) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

afterAll(async () => {
  await application.stop();
  await server.server.close();
});

/** The shape with nothing beside it, all the way down. */
function strict(schema: z.ZodType): z.ZodType {
  return z.fromJSONSchema(z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' }));
}

describe('GET /openapi.json', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    const { status, body } = await server.request('/openapi.json');
    expect(status).toBe(200);
    expect(body.openapi).toBe('3.1.0');
    const { valid, errors } = await new Validator().validate(body);
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  it('names every route, each with an operation of its own, and asks for the token', async () => {
    const { body } = await server.request('/openapi.json');
    const operations = Object.entries<Record<string, Answer>>(body.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => `${method} ${path} ${operationId}`),
    );
    const of = '/v1/applications/{application}';
    const stores = '/v1/applications/orders/stores';
    expect(operations.sort()).toEqual([
      'get /v1/applications listApplications',
      // Queries have paths of their own for each application.
      `get ${stores} orders_listStores`,
      `get ${stores}/{store} orders_getStore`,
      `get ${stores}/{store}/changes orders_streamChanges`,
      `get ${stores}/{store}/count orders_countEntries`,
      `get ${stores}/{store}/entries orders_listEntries`,
      `get ${stores}/{store}/keys/{key} orders_getEntry`,
      `get ${stores}/{store}/keys/{key}/entries orders_listEntriesOfKey`,
      `get ${stores}/{store}/keys/{key}/metadata orders_getKeyMetadata`,
      `get ${of} getApplication`,
      `get ${of}/assignments getAssignments`,
      `get ${of}/configuration getConfiguration`,
      `get ${of}/epochs listEpochs`,
      `get ${of}/errors getErrors`,
      `get ${of}/events streamEvents`,
      `get ${of}/flows getFlows`,
      `get ${of}/history getHistory`,
      `get ${of}/lag getLag`,
      `get ${of}/restores getRestores`,
      `get ${of}/tasks listTasks`,
      `get ${of}/tasks/{task} getTask`,
      `get ${of}/topology getTopology`,
      `post ${of}/pause pause`,
      `post ${of}/reset reset`,
      `post ${of}/resume resume`,
      `post ${of}/stop stop`,
      `post ${of}/tasks/{task}/restart restartTask`,
    ]);
    expect(body.security).toEqual([{ token: [] }]);
  });
});

describe('the answers about a running application', () => {
  it.each([
    ['', answers.application],
    ['/topology', answers.topology],
    ['/tasks', answers.tasks],
    ['/tasks/0_0', answers.task],
    ['/assignments', answers.assignments],
    ['/lag', answers.lag],
    ['/flows', answers.flows],
    ['/epochs', answers.epochs],
    ['/restores', answers.restores],
    ['/history', answers.history],
    ['/errors', answers.errors],
    ['/configuration', answers.configuration],
  ])('have the shape that is described: %s', async (path, schema) => {
    const { status, body } = await server.request(`/v1/applications/orders${path}`);
    expect(status).toBe(200);
    expect(strict(schema).safeParse(body).error?.issues ?? []).toEqual([]);
  });

  it('have the shape that is described before it has started, too', async () => {
    const fresh = new StreamsApplication({
      applicationId: 'fresh',
      kafka,
      topology,
      state: 'memory',
      instanceId: 'one',
      logger: silentLogger,
    });
    await using other = await startServer({ applications: [fresh] });
    const { body } = await other.request('/v1/applications/fresh');
    expect(strict(answers.application).safeParse(body).error?.issues ?? []).toEqual([]);
    expect(body).toMatchObject({ state: 'CREATED', instanceId: null, tasks: [] });
    const { body: configuration } = await other.request('/v1/applications/fresh/configuration');
    expect(configuration.configuration).toMatchObject({
      applicationId: 'fresh',
      instanceId: 'one',
      kafka: { simulated: true },
    });
  });

  it('list it', async () => {
    const { body } = await server.request('/v1/applications');
    expect(strict(answers.applications).safeParse(body).error).toBeUndefined();
    expect(body).toMatchObject({
      applications: [
        { applicationId: 'orders', instanceId: 'one', state: 'RUNNING', paused: false, error: null },
      ],
      actionsAllowed: true,
    });
  });

  it('draw its topology with the names that topics have in Kafka', async () => {
    const { body } = await server.request('/v1/applications/orders/topology');
    const topics = body.graph.subTopologies.flatMap((sub: Answer) =>
      sub.nodes.flatMap((node: Answer) => [...node.topics, ...(node.topic === null ? [] : [node.topic])]),
    );
    expect(topics).toEqual(['orders', 'orders-by-value-repartition', 'orders-by-value-repartition', 'sums']);
    expect(body.graph.subTopologies[1].stores).toEqual([
      { name: 'sums', kind: 'keyValue', logged: true, persistence: 'default' },
    ]);
    expect(body.text).toContain('Sub-topology: 1');
    expect(body.mermaid).toMatch(/^flowchart TD/);
  });

  it('count its flows by source and topic, and tell what was dropped', async () => {
    const { body: flows } = await server.request('/v1/applications/orders/flows');
    expect(flows.inputs.map(({ topic, records }: Answer) => [topic, records])).toEqual([
      ['orders', 3],
      ['orders-by-value-repartition', 2],
    ]);
    const outputs = new Map(
      flows.outputs.map(({ topic, kind, records }: Answer) => [topic, [kind, records]]),
    );
    expect(outputs.get('orders-by-value-repartition')).toEqual(['repartition', 2]);
    expect(outputs.get('orders-sums-changelog')).toEqual(['changelog', 2]);
    expect(outputs.get('sums')).toEqual(['topic', 2]);
    const { body: errors } = await server.request('/v1/applications/orders/errors');
    expect(errors.drops).toMatchObject([{ code: 'MILLRACE_DESERIALIZATION_FAILED', records: 1 }]);
    const { body: lag } = await server.request('/v1/applications/orders/lag');
    expect(lag).toMatchObject({ records: 0, unknown: 0 });
    expect(lag.partitions).toHaveLength(4);
    const { body: epochs } = await server.request('/v1/applications/orders/epochs?limit=1');
    expect(epochs.epochs).toHaveLength(1);
  });

  it('follow a pause and a restart', async () => {
    const post = (path: string): Promise<{ status: number }> =>
      server.request(`/v1/applications/orders/${path}`, { method: 'POST' });
    expect((await post('pause')).status).toBe(200);
    expect((await server.request('/v1/applications/orders')).body.paused).toBe(true);
    kafka.publish('orders', [{ key: 'c', value: '9' }]);
    expect((await post('tasks/1_0/restart')).status).toBe(202);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(kafka.lag('orders', ['orders'])).toBe(1);
    expect((await post('resume')).status).toBe(200);
    while (kafka.lag('orders', ['orders']) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

describe('GET …/events', () => {
  it('sends a snapshot at once and one per interval, until the server closes', async () => {
    const own = await startServer({ applications: [application] });
    const response = await fetch(`${own.server.url}/v1/applications/orders/events?intervalMs=250`, {
      headers: { authorization: 'Bearer a-token-of-sufficient-length' },
    });
    expect(response.headers.get('content-type')).toMatch('text/event-stream');
    let received = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) {
      received += decoder.decode(chunk as Uint8Array, { stream: true });
      if (received.split('event: snapshot').length > 3) void own.server.close();
    }
    const snapshots = received.split('\n\n').filter((event) => event.startsWith('event: snapshot'));
    expect(snapshots.length).toBeGreaterThanOrEqual(3);
    const data = JSON.parse(snapshots[1]!.slice('event: snapshot\ndata: '.length));
    expect(strict(answers.application).safeParse(data).error?.issues ?? []).toEqual([]);
  });

  it('refuses more streams than it can carry', async () => {
    await using own = await startServer({ applications: [fakeApplication()] });
    const open = [];
    const headers = { authorization: 'Bearer a-token-of-sufficient-length' };
    const url = `${own.server.url}/v1/applications/orders/events`;
    for (let i = 0; i < 32; i++) open.push(await fetch(url, { headers }));
    expect((await own.request('/v1/applications/orders/events')).status).toBe(503);
    await open[0]!.body!.cancel();
    for (let status = 503; status === 503;) {
      const again = await fetch(url, { headers });
      status = again.status;
      await again.body!.cancel();
    }
    for (const response of open.slice(1)) await response.body!.cancel();
  });
});
