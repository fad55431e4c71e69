// Owns what all parts of the simulated cluster share: the clock, chance, the account of events, the brokers, the topics.
// It holds no semantics of any API.
import type { ApiName, RpcAnswers, RpcRequests } from '#libs/broker';
import type { Clock } from '#libs/core';
import { BrokerNodes } from './broker-nodes.ts';
import { EventTrace } from './event-trace.ts';
import type { ClusterSettings } from './options.ts';
import { SeededRandom } from './seeded-random.ts';
import { TopicRegistry } from './topics/topic-registry.ts';

/** Who asks, and which broker it is that was asked. */
export interface RequestContext {
  readonly clientId: string;
  readonly nodeId: number;
}

export type Reply<K extends ApiName> = (answer: RpcAnswers[K]) => void;

/** Answers at once or later, exactly once. */
export type Handler<K extends ApiName> = (
  request: RpcRequests[K],
  context: RequestContext,
  reply: Reply<K>,
) => void;

export type Handlers = { readonly [K in ApiName]: Handler<K> };

export class ClusterCore {
  readonly settings: ClusterSettings;
  readonly clock: Clock;
  /** Of ids; faults draw from a generator of their own. */
  readonly random: SeededRandom;
  readonly trace: EventTrace;
  readonly nodes: BrokerNodes;
  readonly topics: TopicRegistry;

  constructor(settings: ClusterSettings) {
    this.settings = settings;
    this.clock = settings.clock;
    this.random = new SeededRandom(settings.seed);
    this.trace = new EventTrace(() => settings.clock.monotonic(), settings.onEvent);
    this.nodes = new BrokerNodes(settings.brokers);
    this.topics = new TopicRegistry(this.nodes, () => this.random.hex32(), settings.topicDefaults);
  }

  /** Runs `action` as an event of its own, `delayMs` from now. The process may end before. */
  after(delayMs: number, action: () => void): void {
    if (delayMs > 0) this.clock.schedule(delayMs, action, true);
    else this.clock.defer(action);
  }
}
