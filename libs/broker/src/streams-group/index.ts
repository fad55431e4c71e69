// Group membership in the streams protocol, in which the broker assigns tasks (KIP-1071).
export { describeStreamsGroup, refuseWithoutStreams } from './describe.ts';
export { otherGroupType } from './refusals.ts';
export { KafkaStreamsGroupMember } from './streams-group-member.ts';
