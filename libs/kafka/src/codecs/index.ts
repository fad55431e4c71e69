// Owns the table of codecs, one for each API of the RPC port.
import type { ApiName, RpcAnswers, RpcRequests } from '#libs/broker';
import { findCoordinator, metadata } from './cluster.ts';
import type { Codec } from './codec.ts';
import { fetch } from './fetch.ts';
import { describeGroups, heartbeat, joinGroup, leaveGroup, syncGroup } from './groups.ts';
import { listOffsets, offsetCommit, offsetFetch, offsetForLeaderEpoch } from './offsets.ts';
import { produce } from './produce.ts';
import { streamsGroupDescribe, streamsGroupHeartbeat } from './streams-groups.ts';
import { createTopics, deleteRecords, deleteTopics, describeConfigs } from './topics.ts';
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  describeTransactions,
  endTxn,
  initProducerId,
  listTransactions,
  txnOffsetCommit,
} from './transactions.ts';

export type { Codec } from './codec.ts';

export const CODECS: { readonly [K in ApiName]: Codec<RpcRequests[K], RpcAnswers[K]> } = {
  Metadata: metadata,
  FindCoordinator: findCoordinator,
  InitProducerId: initProducerId,
  Produce: produce,
  AddPartitionsToTxn: addPartitionsToTxn,
  AddOffsetsToTxn: addOffsetsToTxn,
  TxnOffsetCommit: txnOffsetCommit,
  EndTxn: endTxn,
  DescribeTransactions: describeTransactions,
  ListTransactions: listTransactions,
  Fetch: fetch,
  ListOffsets: listOffsets,
  OffsetForLeaderEpoch: offsetForLeaderEpoch,
  JoinGroup: joinGroup,
  SyncGroup: syncGroup,
  Heartbeat: heartbeat,
  LeaveGroup: leaveGroup,
  OffsetFetch: offsetFetch,
  OffsetCommit: offsetCommit,
  DescribeGroups: describeGroups,
  StreamsGroupHeartbeat: streamsGroupHeartbeat,
  StreamsGroupDescribe: streamsGroupDescribe,
  CreateTopics: createTopics,
  DeleteTopics: deleteTopics,
  DeleteRecords: deleteRecords,
  DescribeConfigs: describeConfigs,
};

export const API_NAMES = Object.keys(CODECS) as readonly ApiName[];
