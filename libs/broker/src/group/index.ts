// Group membership in the classic protocol.
export { KafkaGroupMember } from './group-member.ts';
export { HeartbeatStandIn, lookIntervalMs } from './heartbeat-stand-in.ts';
export type { StandInParts, StandInSignals } from './heartbeat-stand-in.ts';
export {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.ts';
export type { DecodedSubscription } from './consumer-protocol.ts';
