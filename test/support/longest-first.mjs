// Jest's order of spec files: those known to take long come first, so that no worker sits alone with one of them at the end. Owns
// nothing but the order; Jest's own (failed before, slow before, large) holds for all others.
//
// What mostly computes stands beside what mostly waits: two workers take from the list in turn.
import { createRequire } from 'node:module';

// Jest's dependency, not ours: taken from where Jest is.
const require = createRequire(createRequire(import.meta.url).resolve('jest'));
const { default: Sequencer } = createRequire(require.resolve('@jest/core'))('@jest/test-sequencer');

const LONGEST = [
  'test/integration/benchmark-smoke.spec.ts',
  'test/integration/slow-records.spec.ts',
  'test/integration/zombie.spec.ts',
  'test/integration/chaos-smoke.spec.ts',
  'test/integration/exactly-once.spec.ts',
  'test/integration/faults/commits.spec.ts',
  'test/integration/streams-groups.spec.ts',
  'test/contract/broker-contract.spec.ts',
  'test/integration/takeover.spec.ts',
  'test/integration/faults/crash.spec.ts',
  'test/integration/standbys.spec.ts',
  'test/integration/faults/state.spec.ts',
  'test/vectors/runtime.spec.ts',
  'test/simulation/simulation.spec.ts',
  'libs/serde/test/retention.spec.ts',
  'libs/testing/test/crash.spec.ts',
  'libs/testing/test/closing-windows.spec.ts',
  'libs/state/test/ordered-state.model.spec.ts',
];

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const file = path.replaceAll('\\', '/');
      const place = LONGEST.findIndex((name) => file.endsWith(`/${name}`));
      return place === -1 ? LONGEST.length : place;
    };
    // Stable: among equals Jest's order stays.
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
}
