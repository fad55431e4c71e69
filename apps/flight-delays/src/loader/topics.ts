// Owns the service's topics as an operator would create them beforehand.
import type { Admin, ITopicConfig } from 'kafkajs';

import { createTopics as createMissing } from '../../../lesson-kit/src/index.ts';

export const TOPICS = { flights: 'flights', airports: 'airports', airportDelays: 'airport-delays' } as const;

export const PARTITIONS = 4;

// The event times are of 2001: with any finite retention the broker would delete the records as it receives them.
const KEEP = [
  { name: 'retention.ms', value: '-1' },
  { name: 'message.timestamp.type', value: 'CreateTime' },
];
const LATEST_PER_KEY = [{ name: 'cleanup.policy', value: 'compact' }];

const CONFIGS: readonly (ITopicConfig & { readonly numPartitions: number })[] = [
  { topic: TOPICS.flights, numPartitions: PARTITIONS, configEntries: KEEP },
  { topic: TOPICS.airports, numPartitions: PARTITIONS, configEntries: [...KEEP, ...LATEST_PER_KEY] },
  { topic: TOPICS.airportDelays, numPartitions: PARTITIONS, configEntries: [...KEEP, ...LATEST_PER_KEY] },
];

/**
 * Creates those of the three topics that are missing.
 * @throws Error when one is there with another number of partitions: the join needs flights and airports alike.
 */
export function createTopics(admin: Admin): Promise<void> {
  return createMissing(admin, CONFIGS);
}
