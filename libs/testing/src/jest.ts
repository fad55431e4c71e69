// `import 'millrace/testing/jest'` in a spec or a setup file: registers the matchers with Jest and gives `expect` their types.
import { expect } from '@jest/globals';
import { streamMatchers } from './matchers.ts';
import type { ExpectedRecord, ExpectedState } from './matchers.ts';
import type { TestOutputTopic } from './test-topics.ts';
import type { TestStore } from './test-store.ts';

declare module 'expect' {
  interface Matchers<R extends void | Promise<void>, T = unknown> {
    /** What the topic received since the test last read from it, all of it and in order. It counts as read then. */
    toHaveEmitted(
      expected: T extends TestOutputTopic<infer K, infer V> ? readonly ExpectedRecord<K, V>[] : never,
    ): R;
    /** What the topic received since the start, read or not, in order; it stays as unread as it was. */
    toHaveReceived(
      expected: T extends TestOutputTopic<infer K, infer V> ? readonly ExpectedRecord<K, V>[] : never,
    ): R;
    /** What the store holds, all of it, in any order. To be awaited. */
    toHaveState(expected: T extends TestStore<infer K, infer V> ? ExpectedState<K, V> : never): Promise<void>;
  }
}

expect.extend(streamMatchers);
