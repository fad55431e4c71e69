// Owns the names of the topics, as the service and those around it have agreed on them.

export const TOPICS = {
  /** In: by order. */
  orders: 'orders',
  /** In: by order, too, so that the two meet. */
  payments: 'payments',
  /** In: by customer. */
  customers: 'customers',
  /** In: by shipment; each names its order. */
  shipments: 'shipments',
  /** Out: what became of each order, once. */
  settlements: 'settlements',
  /** Out: sums by currency. */
  accounts: 'accounts',
  /** Out: shipments with the word whether they may leave. */
  releases: 'shipment-releases',
  /** Records that failed, from any of the inputs. */
  deadLetters: 'orders-payments-dead',
} as const;

export const PARTITIONS = 3;

/** What Kafka is asked for. The days that are played lie in the past: their records must not be cleared by age. */
export const TOPIC_CONFIGS = Object.values(TOPICS).map((topic) => ({
  topic,
  numPartitions: PARTITIONS,
  configEntries: [{ name: 'retention.ms', value: '-1' }],
}));
