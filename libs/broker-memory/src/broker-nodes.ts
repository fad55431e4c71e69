// Owns the brokers: which are up, and in which life each is. It knows no partitions, no clients.

export interface BrokerNode {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  up: boolean;
  /** Grows with each restart: what an earlier life was asked is never answered by a later one. */
  life: number;
}

const FIRST_PORT = 9092;

export class BrokerNodes {
  readonly #nodes: BrokerNode[];

  constructor(count: number) {
    this.#nodes = Array.from({ length: count }, (_, i) => ({
      nodeId: i + 1,
      host: `broker-${i + 1}.simulated`,
      port: FIRST_PORT,
      up: true,
      life: 0,
    }));
  }

  get all(): readonly BrokerNode[] {
    return this.#nodes;
  }

  get(nodeId: number): BrokerNode | undefined {
    return this.#nodes[nodeId - 1];
  }

  isUp(nodeId: number): boolean {
    return this.#nodes[nodeId - 1]?.up === true;
  }

  /** The first broker that is up. */
  firstUp(): BrokerNode | undefined {
    return this.#nodes.find((node) => node.up);
  }

  /** Where the replicas of the `index`-th thing go: round robin, the preferred first. */
  place(index: number, replicationFactor: number): number[] {
    const count = this.#nodes.length;
    return Array.from(
      { length: Math.min(replicationFactor, count) },
      (_, i) => this.#nodes[(index + i) % count]!.nodeId,
    );
  }
}
