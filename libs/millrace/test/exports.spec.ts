// What a topology is written with can be imported from the package.
import { describe, expect, it } from '@jest/globals';
import * as topology from '#libs/topology';
import * as millrace from '../src/index.ts';

/** For those who run topologies, not for those who write them. */
const INTERNAL = ['checkPartitions', 'deadLetterTopics', 'isInternalSource', 'userTopics'];

describe('the package', () => {
  it('exports every builder and option of a topology', () => {
    const offered = new Set(Object.keys(millrace));
    expect(Object.keys(topology).filter((name) => !offered.has(name))).toEqual(INTERNAL);
  });
});
