// Owns the truth of who owns which partition, as the group's coordinator was told it, and holds every commit against it. The broker itself
// checks membership and generation, never ownership.
import { decodeAssignment } from '#libs/broker';
import type { ClusterEvent, MemoryCluster } from '#libs/broker-memory';
import { formatTopicPartition } from '#libs/core';
import { APPLICATION } from '../scenario.ts';
import { Violation } from '../violation.ts';

const COMMITS: ReadonlySet<string> = new Set(['TxnOffsetCommit', 'OffsetCommit']);

export class OwnershipCheck {
  readonly #cluster: MemoryCluster;
  /** By partition: the client that was assigned it last. One that nobody was given yet stays with who had it. */
  readonly #owners = new Map<string, string>();
  readonly #isStreams: boolean;
  #client = '';
  #api = '';

  constructor(cluster: MemoryCluster, isStreams: boolean) {
    this.#cluster = cluster;
    this.#isStreams = isStreams;
  }

  /** Of each event in turn. @throws Violation */
  onEvent({ kind, subject, detail }: ClusterEvent): void {
    switch (kind) {
      case 'apply':
      case 'duplicate': {
        const space = subject.lastIndexOf(' ');
        this.#client = subject.slice(0, space);
        this.#api = subject.slice(space + 1);
        return;
      }
      case 'group':
        if (detail === 'Stable') this.#learn();
        return;
      case 'offset':
        if (COMMITS.has(this.#api)) this.#judge(subject.slice(APPLICATION.length + 1), Number(detail));
        return;
      default:
        return;
    }
  }

  /** Where the broker assigns, it is asked as it takes the commit: it knows who has yet to give a task up. */
  #learnOfStreams(): void {
    for (const [partition, clients] of this.#cluster.inspect.streamsOwners(APPLICATION)) {
      const now = clients.includes(this.#client) ? this.#client : clients[0]!;
      this.#owners.set(partition, now);
    }
  }

  #learn(): void {
    for (const { clientId, assignment } of this.#cluster.inspect.group(APPLICATION)?.members ?? []) {
      for (const { topic, partition } of decodeAssignment(assignment).partitions)
        this.#owners.set(formatTopicPartition(topic, partition), clientId);
    }
  }

  #judge(partition: string, offset: number): void {
    if (this.#isStreams) this.#learnOfStreams();
    const owner = this.#owners.get(partition);
    if (owner === this.#client) return;
    throw new Violation(
      `"${this.#client}" committed offset ${offset} of ${partition}, which belongs to ${owner === undefined ? 'nobody' : `"${owner}"`}: the group took it although the partition was not its own.`,
    );
  }
}
