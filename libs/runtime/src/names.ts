// Owns the names Millrace gives to things in the cluster. They are Kafka Streams' names, so that its users find them.
import type { SourceSpec } from '#libs/topology';

export function changelogTopic(applicationId: string, store: string): string {
  return `${applicationId}-${store}-changelog`;
}

export function repartitionTopic(applicationId: string, name: string): string {
  return `${applicationId}-${name}-repartition`;
}

/** Of a source, by what the topology calls it. */
export function sourceTopic(
  applicationId: string,
  { kind, topic }: { readonly kind: SourceSpec['kind']; readonly topic: string },
): string {
  if (kind === 'repartition') return repartitionTopic(applicationId, topic);
  return kind === 'retry' ? `${applicationId}-${topic}` : topic;
}

export function transactionalId(applicationId: string, instanceId: string, worker: number): string {
  return `${applicationId}-${instanceId}-${worker}`;
}
