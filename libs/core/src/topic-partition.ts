// Owns the identity of a partition and the maps keyed by it. Offsets are numbers: exact below 2^53.

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** `topic-3`: a map key and a log form. Topic names hold no control characters, the last dash separates. */
export type TopicPartitionText = `${string}-${number}`;

export function formatTopicPartition(topic: string, partition: number): TopicPartitionText {
  return `${topic}-${partition}`;
}

export function parseTopicPartition(text: string): TopicPartition {
  const dash = text.lastIndexOf('-');
  return { topic: text.slice(0, dash), partition: Number(text.slice(dash + 1)) };
}
