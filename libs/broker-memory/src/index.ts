// The RPC port of libs/broker on a simulated cluster: broker semantics, seeded faults, virtual time. Opens no socket.
export { createMemoryCluster, MemoryCluster } from './memory-cluster.ts';
export type { SimulatedProcess } from './memory-cluster.ts';
export type { Leg, MemoryClusterOptions } from './options.ts';
export { VirtualClock } from './virtual-clock.ts';
export type { VirtualClockOptions } from './virtual-clock.ts';
export { SeededRandom } from './seeded-random.ts';
export type { ClusterEvent, ClusterEventKind } from './event-trace.ts';
export type { FaultPlan } from './network/fault-plan.ts';
export type { Fault, FaultRule } from './network/fault-rules.ts';
export type { Inspection, GroupView, LoggedRecord, LogEnds, TransactionView } from './inspection.ts';
export type { NewRecord, TopicAdministration, UpstreamProducer } from './topics/topic-administration.ts';
