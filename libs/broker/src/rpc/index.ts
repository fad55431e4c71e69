// The RPC port and its messages.
export * from './port.ts';
export * from './messages.ts';
export * from './streams-group-messages.ts';
