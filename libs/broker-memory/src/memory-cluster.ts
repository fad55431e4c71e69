// Owns the wiring of the simulated cluster and what may be done to it from outside: topics, faults, brokers, a look inside.
// Whoever looks inside changes nothing and is no event.
import type { RpcPort } from '#libs/broker';
import type { Clock } from '#libs/core';
import { ClusterCore } from './cluster-core.ts';
import type { Handlers } from './cluster-core.ts';
import { Coordinators } from './coordinators.ts';
import { FetchHandler } from './fetch/fetch-handler.ts';
import { GroupCoordinator } from './groups/group-coordinator.ts';
import { GroupOffsets } from './groups/group-offsets.ts';
import { joinRefused } from './groups/group.ts';
import { StreamsCoordinator } from './groups/streams-coordinator.ts';
import { Inspection } from './inspection.ts';
import { Errors } from './kafka-errors.ts';
import { elect } from './leadership.ts';
import { listOffsets, offsetForLeaderEpoch } from './log/offset-handlers.ts';
import { ProduceHandler } from './log/produce-handler.ts';
import type { FaultPlan } from './network/fault-plan.ts';
import type { Fault, FaultRule } from './network/fault-rules.ts';
import { MemoryRpc } from './network/memory-rpc.ts';
import { Network } from './network/network.ts';
import { resolveOptions } from './options.ts';
import type { MemoryClusterOptions } from './options.ts';
import { AdminHandlers } from './topics/admin-handlers.ts';
import { TopicAdministration } from './topics/topic-administration.ts';
import { MarkerWriter } from './transactions/marker-writer.ts';
import { TransactionCoordinator } from './transactions/transaction-coordinator.ts';

/** A client process that can be stopped as a process can. Give its clock to all that runs in it. */
export interface SimulatedProcess {
  readonly clientId: string;
  readonly clock: Clock;
  readonly state: 'running' | 'paused' | 'killed';
  /** A port of its own each time. */
  rpc(): RpcPort;
  /** As SIGSTOP: no timers, no answers, until `resume`. What it has sent arrives. */
  pause(): void;
  resume(): void;
  /** As SIGKILL: it never does anything again, and nobody is told. What it has sent arrives. */
  kill(): void;
}

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function createMemoryCluster(options: MemoryClusterOptions): MemoryCluster {
  return new MemoryCluster(options);
}

export class MemoryCluster {
  readonly topics: TopicAdministration;
  readonly inspect: Inspection;
  readonly #core: ClusterCore;
  readonly #network: Network;
  readonly #coordinators: Coordinators;
  readonly #groups: GroupCoordinator;
  readonly #streams: StreamsCoordinator;
  readonly #fetches: FetchHandler;
  readonly #markers: MarkerWriter;

  constructor(options: MemoryClusterOptions) {
    const core = new ClusterCore(resolveOptions(options));
    const coordinators = new Coordinators(core);
    const groups = new GroupCoordinator(core, coordinators);
    const streams = new StreamsCoordinator(core, coordinators, groups);
    const offsets = new GroupOffsets(core, coordinators, groups, streams);
    const markers = new MarkerWriter(core, coordinators, {
      endOffsets: (groupId, producerId, producerEpoch, committed) =>
        offsets.endTransaction(groupId, producerId, producerEpoch, committed),
      onComplete: (transaction) => transactions.complete(transaction),
    });
    const transactions = new TransactionCoordinator(core, coordinators, markers);
    const fetches = new FetchHandler(core);
    const producing = new ProduceHandler(core, transactions);
    const admin = new AdminHandlers(core, (topic) => {
      offsets.forgetTopic(topic.name);
      for (const log of topic.logs) log.notify();
    });
    const handlers: Handlers = {
      Metadata: (request, _context, reply) => reply(admin.metadata(request)),
      FindCoordinator: (request, _context, reply) => reply(coordinators.find(request)),
      InitProducerId: (request, { nodeId }, reply) => reply(transactions.initProducerId(request, nodeId)),
      Produce: (request, { nodeId }, reply) => reply(producing.produce(request, nodeId)),
      AddPartitionsToTxn: (request, { nodeId }, reply) => {
        const errorCode = transactions.addPartitions(request, nodeId);
        reply({
          errorCode: Errors.NONE,
          topics: request.topics.map(({ name, partitions }) => ({
            name,
            partitions: partitions.map((partition) => ({ partition, errorCode })),
          })),
        });
      },
      AddOffsetsToTxn: (request, { nodeId }, reply) =>
        reply({ errorCode: transactions.addOffsets(request, nodeId) }),
      TxnOffsetCommit: (request, context, reply) =>
        reply(offsets.commitInTransaction(request, context, transactions)),
      EndTxn: (request, { nodeId }, reply) => reply(transactions.endTxn(request, nodeId)),
      DescribeTransactions: (request, { nodeId }, reply) => reply(transactions.describe(request, nodeId)),
      ListTransactions: (request, { nodeId }, reply) => reply(transactions.list(request, nodeId)),
      Fetch: (request, { nodeId }, reply) => fetches.fetch(request, nodeId, reply),
      ListOffsets: (request, { nodeId }, reply) => reply(listOffsets(core, request, nodeId)),
      OffsetForLeaderEpoch: (request, { nodeId }, reply) =>
        reply(offsetForLeaderEpoch(core, request, nodeId)),
      JoinGroup: (request, context, reply) =>
        streams.get(request.groupId) === undefined
          ? groups.join(request, context, reply)
          : reply(joinRefused(Errors.INCONSISTENT_GROUP_PROTOCOL, request.memberId)),
      SyncGroup: (request, context, reply) => groups.sync(request, context, reply),
      Heartbeat: (request, context, reply) => reply(groups.heartbeat(request, context)),
      LeaveGroup: (request, context, reply) => reply(groups.leave(request, context)),
      OffsetFetch: (request, context, reply) => reply(offsets.fetch(request, context)),
      OffsetCommit: (request, context, reply) => reply(offsets.commit(request, context)),
      DescribeGroups: (request, context, reply) => reply(groups.describe(request, context)),
      StreamsGroupHeartbeat: (request, context, reply) => reply(streams.heartbeat(request, context)),
      StreamsGroupDescribe: (request, context, reply) => reply(streams.describe(request, context)),
      CreateTopics: (request, _context, reply) => reply(admin.createTopics(request)),
      DeleteTopics: (request, _context, reply) => reply(admin.deleteTopics(request)),
      DeleteRecords: (request, { nodeId }, reply) => reply(admin.deleteRecords(request, nodeId)),
      DescribeConfigs: (request, _context, reply) => reply(admin.describeConfigs(request)),
    };
    this.#core = core;
    this.#coordinators = coordinators;
    this.#groups = groups;
    this.#streams = streams;
    this.#fetches = fetches;
    this.#markers = markers;
    this.#network = new Network(core, handlers);
    this.topics = new TopicAdministration(core, admin);
    this.inspect = new Inspection(core, groups, offsets, transactions, streams);
    this.#scheduleCleaning();
  }

  get clock(): Clock {
    return this.#core.clock;
  }

  // --- clients -------------------------------------------------------------------------------------------------

  /** The RPC port of one client, in a process of its own that runs on the cluster's clock. */
  rpc(clientId: string): RpcPort {
    const process = this.#network.newProcess(clientId);
    return new MemoryRpc(this.#core, this.#network, process, () => this.#network.forgetProcess(process));
  }

  process(clientId: string): SimulatedProcess {
    const process = this.#network.newProcess(clientId);
    return {
      clientId,
      clock: process.clock,
      get state() {
        return process.state;
      },
      rpc: () => new MemoryRpc(this.#core, this.#network, process),
      pause: () => this.#pause(process),
      resume: () => this.#resume(process),
      kill: () => this.#kill(process),
    };
  }

  /** All processes of a client id that there are now; see SimulatedProcess. */
  pause(clientId: string): void {
    for (const process of this.#network.processesOf(clientId)) this.#pause(process);
  }

  resume(clientId: string): void {
    for (const process of this.#network.processesOf(clientId)) this.#resume(process);
  }

  kill(clientId: string): void {
    for (const process of this.#network.processesOf(clientId)) this.#kill(process);
  }

  #pause(process: ReturnType<Network['newProcess']>): void {
    this.#core.trace.note('process', process.clientId, 'paused');
    process.pause();
  }

  #resume(process: ReturnType<Network['newProcess']>): void {
    this.#core.trace.note('process', process.clientId, 'resumed');
    process.resume();
  }

  #kill(process: ReturnType<Network['newProcess']>): void {
    this.#core.trace.note('process', process.clientId, 'killed');
    this.#network.endProcess(process);
  }

  // --- faults --------------------------------------------------------------------------------------------------

  /** A fault on demand. */
  fault(rule: FaultRule): Fault {
    return this.#network.fault(rule);
  }

  /** Faults by chance from now on; undefined: none. */
  setFaultPlan(plan: FaultPlan | undefined): void {
    this.#network.setFaultPlan(plan);
  }

  /** Breaks the connections that a client has open. */
  cutConnections(clientId: string): void {
    this.#network.cutClient(clientId);
  }

  /** No transaction completes until the returned function was called: its markers are held back. */
  holdMarkers(): () => void {
    return this.#markers.hold();
  }

  /** The coordinator of a group or transactional id answers COORDINATOR_LOAD_IN_PROGRESS for so long. */
  loadCoordinator(kind: 'group' | 'transaction', key: string, durationMs: number): void {
    this.#coordinators.load(kind, key, durationMs);
  }

  /**
   * The broker is gone at once: its connections break, the replicas of what it led take over. What has no other replica is without
   * a leader until it is back. Logs survive.
   */
  stopBroker(nodeId: number): void {
    const node = this.#core.nodes.get(nodeId);
    if (node === undefined || !node.up) return;
    this.#core.trace.note('broker', 'stopped', nodeId);
    node.up = false;
    this.#fetches.forgetSessions(nodeId);
    this.#network.cutNode(nodeId);
    this.#reelect();
  }

  startBroker(nodeId: number): void {
    const node = this.#core.nodes.get(nodeId);
    if (node === undefined || node.up) return;
    this.#core.trace.note('broker', 'started', nodeId);
    node.up = true;
    node.life++;
    this.#reelect();
  }

  #scheduleCleaning(): void {
    const { cleanIntervalMs } = this.#core.settings;
    if (cleanIntervalMs <= 0) return;
    const clean = (): void => {
      this.topics.clean();
      this.#scheduleCleaning();
    };
    this.#core.clock.schedule(cleanIntervalMs, clean, true);
  }

  #reelect(): void {
    const isUp = (nodeId: number): boolean => this.#core.nodes.isUp(nodeId);
    for (const topic of this.#core.topics.all()) {
      for (const log of topic.logs) if (elect(log.leadership, isUp)) log.notify();
    }
    this.#coordinators.reelect((kind, leadership) => {
      if (kind !== 'group') return;
      this.#groups.onMoved(leadership);
      this.#streams.onMoved(leadership);
    });
  }

  // --- the account ---------------------------------------------------------------------------------------------

  /** Over all events so far: the same for the same seed, clock and clients. */
  get eventHash(): string {
    return this.#core.trace.hash;
  }

  get eventCount(): number {
    return this.#core.trace.count;
  }
}
