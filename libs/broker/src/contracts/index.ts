// The contracts the runtime is written against.
export * from './record-reader.ts';
export * from './transactional-writer.ts';
export * from './group-member.ts';
export * from './heartbeat-guard.ts';
export * from './streams-group-member.ts';
export * from './broker-admin.ts';
export * from './broker-client.ts';
