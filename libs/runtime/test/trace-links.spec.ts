// Specifies what is remembered of who fed a key: little, in memory, and as if a scope that is undone had never been.
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '#libs/core';
import { TraceLinks } from '../src/insight/trace-links.ts';
import { TraceLog } from '../src/insight/trace-log.ts';
import { TaskContext } from '../src/task-context.ts';

const traceparent = (n: number): string =>
  `00-${String(n + 1).padStart(32, '0')}-${String(n + 1).padStart(16, '0')}-01`;

function fixture() {
  const context = new TaskContext(0);
  const collector = { recordNumber: 0 };
  const links = new TraceLinks(new TraceLog(systemClock), context, collector);
  const scope = (own: string | null): void => {
    collector.recordNumber++;
    context.leaveRecord(0);
    if (own !== null) context.outputHeaders = [{ key: 'traceparent', value: Buffer.from(own) }];
  };
  return {
    links,
    context,
    scope,
    feed(id: string, ...numbers: number[]): void {
      for (const n of numbers) {
        scope(traceparent(n));
        links.feed(id);
      }
    },
    /** What is emitted for a key in a scope of its own. */
    emitted(id: string): readonly string[] {
      scope(null);
      if (!links.emit(id)) return [];
      const headers = context.outputHeaders!.map(({ value }) => Buffer.from(value!).toString());
      links.done();
      expect(context.outputHeaders).toBeNull();
      return headers;
    },
  };
}

describe('TraceLinks', () => {
  it('keeps four contexts of a key, the newest first in line', () => {
    const { feed, emitted } = fixture();
    feed('a', 1, 2, 3, 4, 5, 6);
    expect(emitted('a')).toEqual([traceparent(6), [3, 4, 5].map(traceparent).join(',')]);
  });

  it('counts a context once, also when its scope is run again', () => {
    const { feed, emitted } = fixture();
    feed('a', 1, 2, 2, 1);
    expect(emitted('a')).toEqual([traceparent(1), traceparent(2)]);
  });

  it('forgets keys that were fed longest ago, beyond so many', () => {
    const { feed, emitted } = fixture();
    feed('first', 1);
    feed('kept', 1);
    for (let i = 0; i < 1_022; i++) feed(`key-${i}`, 1);
    feed('kept', 2);
    feed('last', 1);
    expect(emitted('first')).toEqual([]);
    expect(emitted('kept')).toEqual([traceparent(2), traceparent(1)]);
  });

  it('passes over keys that are very long', () => {
    const { feed, emitted } = fixture();
    feed('k'.repeat(2_000), 1);
    expect(emitted('k'.repeat(2_000))).toEqual([]);
  });

  it('emits again what an undone scope emitted', () => {
    const { links, feed, emitted } = fixture();
    feed('a', 1);
    expect(emitted('a')).toEqual([traceparent(1)]);
    links.undo();
    expect(emitted('a')).toEqual([traceparent(1)]);
    expect(emitted('a')).toEqual([]);
    links.undo();
    expect(emitted('a')).toEqual([]);
  });

  it('keeps the order of emissions inside each other, and begins anew where one was broken off', () => {
    const { links, context, feed, scope } = fixture();
    feed('outer', 1);
    feed('inner', 2);
    const now = (): string => Buffer.from(context.outputHeaders![0]!.value!).toString();
    scope(null);
    links.emit('outer');
    links.emit('inner');
    expect(now()).toBe(traceparent(2));
    links.done();
    expect(now()).toBe(traceparent(1));
    // The scope fails here.
    links.undo();
    scope(null);
    links.emit('inner');
    links.done();
    expect(context.outputHeaders).toBeNull();
  });
});
