import { describe, expect, it } from '@jest/globals';
import { resolveRuntimeConfig } from '#libs/runtime';

const resolve = (options: object): ReturnType<typeof resolveRuntimeConfig> =>
  resolveRuntimeConfig({ applicationId: 'app', instanceId: 'one', ...options });

describe('the options of scaling', () => {
  it('have the defaults of Kafka Streams', () => {
    expect(resolve({})).toMatchObject({
      numStandbys: 0,
      acceptableRecoveryLag: 10_000,
      maxWarmups: 2,
      probingRebalanceIntervalMs: 600_000,
      rack: null,
    });
  });

  it('take what makes sense', () => {
    const options = { numStandbys: 2, acceptableRecoveryLag: 0, maxWarmups: 1, rack: 'zone-a' };
    expect(resolve(options)).toMatchObject(options);
  });

  it.each([
    ['numStandbys', -1],
    ['numStandbys', 1.5],
    ['numStandbys', '1'],
    ['acceptableRecoveryLag', -1],
    ['acceptableRecoveryLag', NaN],
    ['maxWarmups', 0],
    ['probingRebalanceIntervalMs', 59_999],
    ['probingRebalanceIntervalMs', Infinity],
    ['rack', ''],
    ['rack', 7],
    ['rack', 'r'.repeat(201)],
  ])('refuse %s %p by name', (name, value) => {
    expect(() => resolve({ [name]: value })).toThrow(
      new RegExp(`MILLRACE_INVALID_CONFIG.*1 fault.*${name} must be`),
    );
  });
});
