// Owns just enough of Kafka's framing to see which request a byte stream carries: lengths, request headers, API names.

/** API keys by the protocol guide's names. */
export const API_KEYS = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
  SyncGroup: 14,
  DescribeGroups: 15,
  ListGroups: 16,
  SaslHandshake: 17,
  ApiVersions: 18,
  CreateTopics: 19,
  DeleteTopics: 20,
  DeleteRecords: 21,
  InitProducerId: 22,
  OffsetForLeaderEpoch: 23,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
  DescribeConfigs: 32,
  SaslAuthenticate: 36,
  CreatePartitions: 37,
  DeleteGroups: 42,
  DescribeCluster: 60,
  DescribeTransactions: 65,
  ListTransactions: 66,
  ConsumerGroupHeartbeat: 68,
  StreamsGroupHeartbeat: 88,
  StreamsGroupDescribe: 89,
} as const;

export type ApiName = keyof typeof API_KEYS;

const NAMES = new Map<number, ApiName>(Object.entries(API_KEYS).map(([name, key]) => [key, name as ApiName]));

export interface RequestHeader {
  /** Undefined for an API this file does not name. */
  readonly api: ApiName | undefined;
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/** The header of a request frame that starts with its length. Every version so far begins with these fields. */
export function readRequestHeader(frame: Buffer): RequestHeader {
  const apiKey = frame.readInt16BE(4);
  const clientIdLength = frame.readInt16BE(12);
  return {
    api: NAMES.get(apiKey),
    apiKey,
    apiVersion: frame.readInt16BE(6),
    correlationId: frame.readInt32BE(8),
    clientId: clientIdLength < 0 ? null : frame.toString('utf8', 14, 14 + clientIdLength),
  };
}

/** The correlation id of an answer frame that starts with its length. */
export function readAnswerCorrelationId(frame: Buffer): number {
  return frame.readInt32BE(4);
}

/** Cuts a byte stream into frames, each with its length prefix. */
export class FrameSplitter {
  #chunks: Buffer[] = [];
  #size = 0;

  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < 4) return [];
    const head = this.#chunks[0] as Buffer;
    // Joining a large frame's chunks again for each of them would cost the square of its size.
    if (head.length >= 4 && this.#size < head.readInt32BE(0) + 4) return [];
    let bytes = this.#chunks.length === 1 ? head : Buffer.concat(this.#chunks);
    const frames: Buffer[] = [];
    while (bytes.length >= 4) {
      const end = bytes.readInt32BE(0) + 4;
      if (bytes.length < end) break;
      frames.push(bytes.subarray(0, end));
      bytes = bytes.subarray(end);
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#size = bytes.length;
    return frames;
  }
}
