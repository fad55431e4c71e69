// Administration: topics, configurations, offsets.
export { KafkaBrokerAdmin } from './broker-admin.ts';
