// Owns the names Millrace gives to things in the cluster. They are Kafka Streams' names, so that its users find them.

export function changelogTopic(applicationId: string, store: string): string {
  return `${applicationId}-${store}-changelog`;
}

export function repartitionTopic(applicationId: string, name: string): string {
  return `${applicationId}-${name}-repartition`;
}

export function transactionalId(applicationId: string, instanceId: string, worker: number): string {
  return `${applicationId}-${instanceId}-${worker}`;
}
