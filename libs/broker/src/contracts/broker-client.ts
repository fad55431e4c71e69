// Owns the contract of a broker client as the runtime sees it: a factory of the four parts over one set of connections.
import type { BrokerAdmin } from './broker-admin.ts';
import type { GroupMember, GroupMemberHandler, GroupMemberOptions } from './group-member.ts';
import type { RecordReader, RecordReaderOptions } from './record-reader.ts';
import type {
  StreamsGroupMember,
  StreamsGroupMemberHandler,
  StreamsGroupMemberOptions,
} from './streams-group-member.ts';
import type {
  IdempotentWriter,
  TransactionalWriter,
  TransactionalWriterOptions,
} from './transactional-writer.ts';

export interface BrokerClient {
  readonly admin: BrokerAdmin;
  createReader(options: RecordReaderOptions): RecordReader;
  createTransactionalWriter(options: TransactionalWriterOptions): TransactionalWriter;
  createIdempotentWriter(
    options?: Pick<TransactionalWriterOptions, 'compression' | 'deadlineMs'>,
  ): IdempotentWriter;
  createGroupMember(options: GroupMemberOptions, handler: GroupMemberHandler): GroupMember;
  /** In a group whose tasks the broker assigns (KIP-1071). */
  createStreamsGroupMember(
    options: StreamsGroupMemberOptions,
    handler: StreamsGroupMemberHandler,
  ): StreamsGroupMember;
  /** Partition count of a topic from cached metadata, refreshed on demand. */
  partitionCount(topic: string): Promise<number>;
  close(): Promise<void>;
}
