// Owns the names of the topics, as service, generator and checker have agreed on them.

export const TOPICS = {
  /** In: card transactions, by card, in the order in which they arrive. */
  transactions: 'card-transactions',
  /** In: rules that may be changed while the service runs, by name. */
  rules: 'fraud-rules',
  /** Out: what was found, by card. */
  alerts: 'fraud-alerts',
  /** Out: cards frozen and released, transactions blocked, cards fallen silent; by card. */
  cardEvents: 'card-events',
  /** Out: transactions that came after event time had passed them, by card. */
  late: 'late-transactions',
} as const;

export const PARTITIONS = 3;

/** What Kafka is asked for. The rules are a table: one partition is enough, and old rows may go. */
export const TOPIC_CONFIGS = Object.values(TOPICS).map((topic) =>
  topic === TOPICS.rules
    ? { topic, numPartitions: 1, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }
    : // The events are of the past: their topic must not be cleared by age.
      { topic, numPartitions: PARTITIONS, configEntries: [{ name: 'retention.ms', value: '-1' }] },
);
