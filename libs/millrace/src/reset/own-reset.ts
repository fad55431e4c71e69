// Owns what an application knows of itself when it is reset: where its dead letters go.
import { deadLetterTopicOf } from '#libs/topology';
import type { Topology } from '#libs/topology';
import type { ResetOptions } from './contract.ts';

/** What is asked for; the rest an application says of itself. */
export type OwnResetOptions = Omit<
  ResetOptions,
  'kafka' | 'applicationId' | 'stateDir' | 'deadLetterTopics' | 'logger' | 'clock'
>;

/** The topics that policies name; not those that an exception handler may choose record by record. */
export function deadLetterTopicsOf({ subTopologies }: Topology): string[] {
  const topics = new Set<string>();
  for (const { sources, failurePolicies } of subTopologies) {
    for (const policy of [
      ...sources.map((source) => source.failurePolicy),
      ...(failurePolicies?.values() ?? []),
    ]) {
      const topic = deadLetterTopicOf(policy);
      if (topic !== null) topics.add(topic);
    }
  }
  return [...topics];
}
