// The table of Kafka's error codes.
import { describe, expect, it } from '@jest/globals';
import { classify, errorName, isRetriable, KafkaError } from '../../src/protocol/error-codes.ts';

describe('error codes', () => {
  it('have the numbers of the protocol guide', () => {
    for (const [name, code] of Object.entries(KafkaError)) expect(errorName(code)).toBe(name);
  });

  it('unknown to us are fatal, never retried', () => {
    expect([classify(12_345), errorName(12_345)]).toEqual(['fatal', 'ERROR_12345']);
  });

  it.each([
    [14, 'COORDINATOR_LOAD_IN_PROGRESS'],
    [16, 'NOT_COORDINATOR'],
    [51, 'CONCURRENT_TRANSACTIONS'],
    [19, 'NOT_ENOUGH_REPLICAS'],
    [6, 'NOT_LEADER_OR_FOLLOWER'],
  ])('%i ask for patience (%s)', (code) => {
    expect(isRetriable(classify(code))).toBe(true);
  });

  it.each([45, 46, 47, 90, 49, 59, 120, 22, 25, 82, 10])('%i are not retried', (code) => {
    expect(isRetriable(classify(code))).toBe(false);
  });
});
