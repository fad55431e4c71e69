// Feeds of changes over HTTP: what they give, where they go on, how they end.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { get, QueryInstances, until } from './query-instances.ts';
import type { QueriedInstance } from './query-instances.ts';

interface ServerEvent {
  readonly id: string | null;
  readonly event: string | null;
  readonly data: Record<string, unknown>;
}

/** Reads server-sent events until it is closed. */
async function listen(
  { server }: Pick<QueriedInstance, 'server'>,
  path: string,
  headers: Record<string, string> = {},
): Promise<{
  readonly events: ServerEvent[];
  readonly text: () => string;
  readonly done: Promise<void>;
  close(): void;
}> {
  const abort = new AbortController();
  const answer = await fetch(`${server.url}${path}`, { headers, signal: abort.signal });
  expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const events: ServerEvent[] = [];
  let text = '';
  const done = (async () => {
    let rest = '';
    for await (const chunk of answer.body! as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString('utf8');
      rest += Buffer.from(chunk).toString('utf8');
      const blocks = rest.split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) {
        const field = (name: string): string | null =>
          block
            .split('\n')
            .find((line) => line.startsWith(`${name}: `))
            ?.slice(name.length + 2) ?? null;
        const data = field('data');
        if (data !== null)
          events.push({
            id: field('id'),
            event: field('event'),
            data: JSON.parse(data) as ServerEvent['data'],
          });
      }
    }
  })().catch(() => undefined);
  return { events, text: () => text, done, close: () => abort.abort() };
}

describe('a feed of changes over HTTP', () => {
  let instances: QueryInstances;
  let one: QueriedInstance;
  let two: QueriedInstance;

  beforeAll(async () => {
    instances = new QueryInstances();
    one = await instances.start('one', {}, { heartbeatMs: 100, slowReaderMs: 300, feedsMax: 3 });
    two = await instances.start('two');
    await instances.routed(4);
  }, 60_000);
  afterAll(() => instances.stop());

  it('gives the changes of all instances, and those that were missed to one who comes back', async () => {
    const feed = await listen(one, '/stores/last/changes?since=earliest');
    await instances.feed([
      ['a', '1'],
      ['b', '1'],
      ['c', '1'],
      ['d', '1'],
    ]);
    await until(() => feed.events.length === 4);
    expect(feed.events.map(({ event, data }) => `${String(event)} ${String(data['key'])}`).sort()).toEqual(
      ['a', 'b', 'c', 'd'].map((key) => `change ${key}`),
    );
    const seen = feed.events.slice(0, 2);
    feed.close();
    await feed.done;
    await instances.feed([['a', '2']]);
    const again = await listen(two, '/stores/last/changes', { 'last-event-id': seen[1]!.id! });
    await until(() => again.events.length === 3);
    const keys = again.events.map(({ data }) => `${String(data['key'])}${String(data['value'])}`);
    const before = seen.map(({ data }) => `${String(data['key'])}1`);
    expect(keys.sort()).toEqual(
      ['a1', 'b1', 'c1', 'd1']
        .filter((key) => !before.includes(key))
        .concat('a2')
        .sort(),
    );
    again.close();
    await again.done;
  });

  it('shows signs of life while nothing changes', async () => {
    const feed = await listen(one, '/stores/last/changes');
    await until(() => feed.text().includes(': still here'));
    feed.close();
    await feed.done;
  });

  it('cuts off a reader that takes nothing, and keeps nothing for it', async () => {
    const { port } = one.server;
    const socket = connect(port, '127.0.0.1');
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.write('GET /stores/last/changes?since=earliest HTTP/1.1\r\nhost: localhost\r\n\r\n');
    socket.pause();
    // More than the buffers of a socket hold.
    const large = 'x'.repeat(200_000);
    for (let i = 0; i < 80; i++) await instances.feed([[`large-${i % 8}`, large + String(i)]]);
    const open = async (): Promise<boolean> => {
      const answer = await fetch(`${one.server.url}/stores/last/changes`, {
        signal: AbortSignal.timeout(2_000),
      });
      await answer.body?.cancel();
      return answer.status === 200;
    };
    expect(await open()).toBe(true);
    socket.resume();
    await closed;
  }, 60_000);

  it('refuses more feeds than it may keep open, and takes some again once others have ended', async () => {
    const feeds = await Promise.all([1, 2, 3].map(() => listen(one, '/stores/last/changes')));
    const refused = await get(one, '/stores/last/changes');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    for (const feed of feeds) {
      feed.close();
      await feed.done;
    }
    await until(async () => {
      const answer = await fetch(`${one.server.url}/stores/last/changes`);
      await answer.body?.cancel();
      return answer.status === 200;
    });
  });

  it('ends with the server, and says so', async () => {
    const feed = await listen(two, '/stores/last/changes');
    await two.server.close();
    await feed.done;
    expect(feed.events.at(-1)?.event ?? 'end').toBe('end');
  });
});
