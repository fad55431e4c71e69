// Queries over HTTP against instances on a simulated cluster: routing to the owner, gathering from all, what is refused and how.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { get, QueryInstances, until } from './query-instances.ts';
import type { QueriedInstance } from './query-instances.ts';

const NAMES = Array.from({ length: 30 }, (_, i) => `name-${String(i).padStart(2, '0')}`);
const START = Date.UTC(2024, 0, 1);

interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly partition: number;
}
const entries = (body: Record<string, unknown>): Entry[] => body['entries'] as Entry[];
const codeOf = (body: Record<string, unknown>): unknown =>
  (body['error'] as { code?: unknown } | undefined)?.code;

describe('two instances', () => {
  let instances: QueryInstances;
  let one: QueriedInstance;
  let two: QueriedInstance;

  beforeAll(async () => {
    instances = new QueryInstances();
    one = await instances.start('one');
    two = await instances.start('two');
    await instances.feed(NAMES.map((name) => [name, `of ${name}`, START]));
    await instances.routed(4);
  }, 60_000);

  afterAll(() => instances.stop());

  it('give the value of any key, whoever has it', async () => {
    const owners = new Set<unknown>();
    for (const name of NAMES) {
      const where = await get(one, `/stores/last/keys/${name}/metadata`);
      owners.add(where.body['active']);
      for (const instance of [one, two]) {
        const { status, body } = await get(instance, `/stores/last/keys/${name}`);
        expect(status).toBe(200);
        expect(body['entry']).toMatchObject({ key: name, value: `of ${name}`, timestamp: START });
      }
    }
    expect(owners).toEqual(new Set([one.host, two.host]));
    const nobody = await get(one, '/stores/last/keys/nobody');
    expect(nobody.status).toBe(200);
    expect(nobody.body['entry']).toBeNull();
  });

  it('give entries of all instances in one order, page by page, in both directions', async () => {
    for (const [query, expected] of [
      ['', NAMES],
      ['&reverse=true', NAMES.toReversed()],
      ['&lower=name-05&upper=name-12', NAMES.slice(5, 13)],
      ['&prefix=name-2', NAMES.slice(20)],
    ] as const) {
      for (const limit of [4, 100]) {
        const found: string[] = [];
        let cursor: unknown = null;
        do {
          const next = typeof cursor === 'string' ? `&cursor=${cursor}` : '';
          const { status, body } = await get(two, `/stores/last/entries?limit=${limit}${query}${next}`);
          expect(status).toBe(200);
          expect(body['complete']).toBe(true);
          found.push(...entries(body).map(({ key }) => key));
          cursor = body['cursor'];
        } while (cursor !== null);
        expect(found).toEqual(expected);
      }
    }
  });

  it('give what is here alone where that is asked for, and say what is missing', async () => {
    const here = await get(one, '/stores/last/entries?scope=local');
    const there = await get(two, '/stores/last/entries?scope=local');
    expect([...entries(here.body), ...entries(there.body)].map(({ key }) => key).sort()).toEqual(NAMES);
    expect(here.body['complete']).toBe(false);
    expect(here.body['missing']).toHaveLength(2);
  });

  it('give windows of a key, and of all keys by time', async () => {
    const { status, body } = await get(one, `/stores/per-minute/keys/name-03?windowStart=${START}`);
    expect(status).toBe(200);
    expect(body['entry']).toMatchObject({ key: 'name-03', window: { start: START }, value: 1 });
    const ofKey = await get(two, '/stores/per-minute/keys/name-03/entries');
    expect(entries(ofKey.body)).toMatchObject([
      { key: 'name-03', window: { start: START, end: START + 60_000 }, value: 1 },
    ]);
    const all = await get(one, `/stores/per-minute/entries?fromTime=${START}&toTime=${START}`);
    expect(entries(all.body)).toHaveLength(NAMES.length);
    const none = await get(one, `/stores/per-minute/entries?fromTime=${START + 1}`);
    expect(entries(none.body)).toEqual([]);
  });

  it('count, and list what there is', async () => {
    expect((await get(one, '/stores/last/count?approximate=false')).body).toMatchObject({
      count: NAMES.length,
      complete: true,
    });
    const stores = (await get(one, '/stores')).body['stores'] as { name: string; kind: string }[];
    expect(stores.map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
      'last: keyValue',
      'per-minute: window',
    ]);
    const { body } = await get(one, '/stores/last');
    expect(body).toMatchObject({ name: 'last', keySerde: 'string' });
    expect(body['instances']).toHaveLength(2);
  });

  it.each([
    ['/stores/nothing/keys/a', 404, 'MILLRACE_STORE_UNKNOWN'],
    ['/stores/last/entries?limit=0', 400, 'MILLRACE_QUERY_INVALID'],
    ['/stores/last/entries?limit=100000', 400, 'MILLRACE_QUERY_INVALID'],
    ['/stores/last/entries?cursor=xyz', 400, 'MILLRACE_QUERY_INVALID'],
    ['/stores/last/entries?fromTime=1', 400, 'MILLRACE_QUERY_INVALID'],
    ['/stores/last/entries?unheard=1', 400, 'MILLRACE_QUERY_INVALID'],
    ['/stores/last/keys/a?partition=77', 400, 'MILLRACE_QUERY_INVALID'],
    ['/stores/last/keys/a/entries', 400, 'MILLRACE_QUERY_INVALID'],
    ['/stores/per-minute/keys/a', 400, 'MILLRACE_QUERY_INVALID'],
    ['/stores/per-minute/entries?lower=a', 400, 'MILLRACE_QUERY_INVALID'],
    ['/stores/last/changes?resume=nonsense', 400, 'MILLRACE_QUERY_INVALID'],
  ])('refuse %s with status %d', async (path, status, code) => {
    const answer = await get(one, path);
    expect([answer.status, codeOf(answer.body)]).toEqual([status, code]);
  });

  it('forward once and no further: what was forwarded is answered from here or refused', async () => {
    const local = new Set(
      entries((await get(one, '/stores/last/entries?scope=local')).body).map(({ key }) => key),
    );
    const theirs = NAMES.find((name) => !local.has(name))!;
    const answer = await get(one, `/stores/last/keys/${theirs}`, { 'x-millrace-forwarded': '1' });
    expect(answer.status).toBe(503);
    expect(answer.body['error']).toMatchObject({
      code: 'MILLRACE_STORE_ELSEWHERE',
      owner: two.host,
    });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('an instance that is gone', () => {
  let instances: QueryInstances;
  afterEach(() => instances.stop());

  it('leaves part of an answer, which says so; its keys are answered by the standby copy', async () => {
    instances = new QueryInstances();
    const one = await instances.start('one', {
      numStandbys: 1,
      sessionTimeoutMs: 8_000,
      heartbeatIntervalMs: 300,
    });
    const two = await instances.start('two', {
      numStandbys: 1,
      sessionTimeoutMs: 8_000,
      heartbeatIntervalMs: 300,
    });
    await instances.feed(NAMES.map((name) => [name, name]));
    await instances.routed(4);
    const isCopied = async (): Promise<boolean> => {
      const { body } = await get(one, '/stores/last/entries?scope=local&from=activeOrStandby');
      return entries(body).length === NAMES.length && body['complete'] === true;
    };
    await until(isCopied);
    const local = new Set(
      entries((await get(one, '/stores/last/entries?scope=local')).body).map(({ key }) => key),
    );
    const theirs = NAMES.find((name) => !local.has(name))!;
    await two.kill();

    const refused = await get(one, `/stores/last/keys/${theirs}`);
    expect([refused.status, codeOf(refused.body)]).toEqual([503, 'MILLRACE_QUERY_UNANSWERED']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const part = await get(one, '/stores/last/entries');
    expect(part.status).toBe(200);
    expect(part.body['complete']).toBe(false);
    const missing = part.body['missing'] as { code: string; owner: string }[];
    expect(missing.map(({ code, owner }) => `${code} ${owner}`)).toEqual(
      Array(2).fill(`MILLRACE_QUERY_UNANSWERED ${two.host}`),
    );
    expect((await get(one, '/stores/last/entries?requireComplete=true')).status).toBe(503);

    const copied = await get(one, `/stores/last/keys/${theirs}?from=activeOrStandby`);
    expect(copied.body['entry']).toMatchObject({ key: theirs, value: theirs });
    const whole = await get(one, '/stores/last/entries?from=activeOrStandby');
    expect(entries(whole.body).map(({ key }) => key)).toEqual(NAMES);
    expect(whole.body['complete']).toBe(true);
  }, 60_000);

  it('and one that does not answer in time, are told apart from one that refuses', async () => {
    instances = new QueryInstances();
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const one = await instances.start('one', {}, { forwardTimeoutMs: 200 });
    await instances.start('two', { applicationServer: `127.0.0.1:${port}` });
    await instances.feed(NAMES.map((name) => [name, name]));
    await instances.routed(4);
    const { body } = await get(one, '/stores/last/entries');
    const missing = body['missing'] as { message: string }[];
    expect(missing).toHaveLength(2);
    expect(missing[0]!.message).toMatch(/longer than 200 ms/);
    silent.closeAllConnections();
    silent.close();
  }, 60_000);
});
