// Specifies how server-sent events are read from a stream whose pieces are cut anywhere.
import { expect, it } from '@jest/globals';
import { EventParser } from '../../src/dashboard/client/api.ts';

const STREAM = 'retry: 1000\n\nevent: snapshot\ndata: {"a":1}\n\n: a comment\n\ndata:{"b":\ndata: 2}\n\n';

it.each([1, 2, 3, 7, 1_000])('reads events that come in pieces of %i', (size) => {
  const events: string[] = [];
  const parser = new EventParser((data) => events.push(data));
  for (let at = 0; at < STREAM.length; at += size) parser.push(STREAM.slice(at, at + size));
  expect(events).toEqual(['{"a":1}', '{"b":\n2}']);
});
