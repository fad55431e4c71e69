import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RpcFailure, type HeartbeatRequest, type RpcPort } from '#libs/broker';
import type { MillraceError } from '#libs/core';
import { silentLogger, systemClock } from '#libs/core';
import { createKafkaRpc, type KafkaConfig } from '../src/index.ts';
import { goldenHex } from './golden.ts';
import { answerFrame, apiVersionsBody, bodyOf, ScriptedBroker } from './scripted-broker.ts';

const HEARTBEAT: HeartbeatRequest = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };
const HEARTBEAT_ANSWER = goldenHex('HeartbeatResponse', 4);

/** A heartbeat's answer that carries `errorCode`, to tell answers apart. */
const heartbeatAnswer = (errorCode: number): Buffer =>
  bodyOf((writer) => writer.int32(0).int16(errorCode).noTags());

let broker: ScriptedBroker;
const open: RpcPort[] = [];

beforeEach(async () => {
  broker = await ScriptedBroker.start();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((rpc) => rpc.close()));
  await broker.stop();
});

function connect(config: Partial<KafkaConfig> = {}): RpcPort {
  const rpc = createKafkaRpc(
    { brokers: [broker.address], retry: { initialRetryTime: 1, maxRetryTime: 10 }, ...config },
    { clock: systemClock, logger: silentLogger },
  );
  rpc.learnNodes([{ nodeId: 1, host: '127.0.0.1', port: broker.port }]);
  open.push(rpc);
  return rpc;
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('was not rejected');
    },
    (error: unknown) => error,
  );
}

async function rpcFailure(promise: Promise<unknown>): Promise<RpcFailure> {
  const error = await rejection(promise);
  expect(error).toBeInstanceOf(RpcFailure);
  return error as RpcFailure;
}

describe('calls', () => {
  it('are answered in the order they were made, pipelined on one connection', async () => {
    const rpc = connect();
    const first = rpc.call(1, 'Heartbeat', HEARTBEAT);
    const second = rpc.call(1, 'Heartbeat', { ...HEARTBEAT, generationId: 2 });
    const [one, two] = await broker.received('Heartbeat', 2);
    one!.reply(heartbeatAnswer(27));
    two!.reply(heartbeatAnswer(0));
    expect(await Promise.all([first, second])).toEqual([{ errorCode: 27 }, { errorCode: 0 }]);
    expect(broker.connections).toBe(1);
  });

  it('take a connection for each lane', async () => {
    broker.on('Heartbeat', (request) => request.reply(HEARTBEAT_ANSWER));
    const rpc = connect();
    await rpc.call(1, 'Heartbeat', HEARTBEAT, { lane: 'group' });
    await rpc.call(1, 'Heartbeat', HEARTBEAT, { lane: 'control' });
    await rpc.call(1, 'Heartbeat', HEARTBEAT, { lane: 'group' });
    expect(broker.connections).toBe(2);
  });

  it('never wait behind a call that the broker may hold back for long', async () => {
    broker.on('Heartbeat', (request) => request.reply(HEARTBEAT_ANSWER));
    const rpc = connect();
    const joining = rpc.call(
      1,
      'JoinGroup',
      {
        groupId: 'g',
        sessionTimeoutMs: 1,
        rebalanceTimeoutMs: 1,
        memberId: '',
        groupInstanceId: null,
        protocolType: 'consumer',
        protocols: [],
        reason: null,
      },
      { lane: 'group' },
    );
    const [join] = await broker.received('JoinGroup');
    await rpc.call(1, 'Heartbeat', HEARTBEAT, { lane: 'group' });
    join!.reply(goldenHex('JoinGroupResponse', 9));
    expect((await joining).generationId).toBe(4);
    expect(broker.connections).toBe(2);
  });

  it('are sent no faster than the in-flight limit allows', async () => {
    const rpc = connect({ maxInFlightRequests: 2 });
    const calls = [0, 1, 2, 3].map((generationId) =>
      rpc.call(1, 'Heartbeat', { ...HEARTBEAT, generationId }),
    );
    await broker.received('Heartbeat', 2);
    // A round trip on another lane: whatever was written before it has arrived.
    broker.on('OffsetCommit', (request) => request.reply(goldenHex('OffsetCommitResponse', 9)));
    await rpc.call(1, 'OffsetCommit', { ...HEARTBEAT, topics: [] }, { lane: 'group' });
    expect(broker.requests.filter(({ api }) => api === 'Heartbeat')).toHaveLength(2);
    broker.on('Heartbeat', (request) => request.reply(HEARTBEAT_ANSWER));
    for (const request of await broker.received('Heartbeat', 2)) request.reply(HEARTBEAT_ANSWER);
    await Promise.all(calls);
  });

  it('carry large batches to the broker and large answers back unharmed', async () => {
    const records = Buffer.alloc(3 << 20, 'abcdefg');
    const answer = bodyOf((writer) => {
      writer.int32(0).int16(0).int32(0);
      writer.array(['0'.repeat(32)], (topicId) => {
        writer.uuid(topicId);
        writer.array([7], (partition) => {
          writer.int32(partition).int16(0).int64(1).int64(1).int64(0);
          writer.array([], () => undefined);
          writer.int32(-1).records([records]).noTags();
        });
        writer.noTags();
      });
      writer.noTags();
    });
    broker.on('Fetch', (request) => {
      // In pieces, so that frames are put together across reads.
      const frame = answerFrame(request.correlationId, answer);
      for (let at = 0; at < frame.length; at += 999_983)
        request.socket.write(frame.subarray(at, at + 999_983));
    });
    broker.on('Produce', (request) => request.reply(goldenHex('ProduceResponse', 12)));
    const rpc = connect();
    const fetched = await rpc.call(1, 'Fetch', {
      maxWaitMs: 1,
      minBytes: 1,
      maxBytes: 1,
      isolation: 'read_committed',
      sessionId: 0,
      sessionEpoch: -1,
      topics: [],
      forgottenTopics: [],
      rackId: '',
    });
    expect(fetched.topics[0]!.partitions[0]!.records!.equals(records)).toBe(true);
    await rpc.call(1, 'Produce', {
      transactionalId: null,
      acks: -1,
      timeoutMs: 1,
      transactionVersion2: true,
      topics: [{ name: 't', partitions: [{ partition: 0, records: [records] }] }],
    });
    const [produced] = await broker.received('Produce');
    expect(produced!.body.includes(records)).toBe(true);
  });

  it('reads several answers out of one packet, and one out of many', async () => {
    const rpc = connect();
    const calls = [1, 2, 3].map(() => rpc.call(1, 'Heartbeat', HEARTBEAT));
    const requests = await broker.received('Heartbeat', 3);
    const bytes = Buffer.concat(
      requests.map(({ correlationId }, index) => answerFrame(correlationId, heartbeatAnswer(index))),
    );
    const { socket } = requests[0]!;
    // Two and a half answers, then single bytes.
    socket.write(bytes.subarray(0, Math.floor(bytes.length * 0.8)));
    for (let at = Math.floor(bytes.length * 0.8); at < bytes.length; at++) {
      await new Promise((resolve) => socket.write(bytes.subarray(at, at + 1), resolve));
    }
    expect((await Promise.all(calls)).map(({ errorCode }) => errorCode)).toEqual([0, 1, 2]);
  });

  it('settles an unanswered produce once its bytes are out', async () => {
    const rpc = connect();
    const answer = await rpc.call(1, 'Produce', {
      transactionalId: null,
      acks: 0,
      timeoutMs: 1,
      transactionVersion2: false,
      topics: [{ name: 't', partitions: [{ partition: 0, records: [Buffer.from([1])] }] }],
    });
    expect(answer.topics).toEqual([]);
    expect(await broker.received('Produce')).toHaveLength(1);
  });
});

describe('a broken connection', () => {
  it('leaves the calls it carried unknown and the next call connects again', async () => {
    const rpc = connect();
    const call = rpc.call(1, 'Heartbeat', HEARTBEAT);
    await broker.received('Heartbeat');
    broker.cutAll();
    expect((await rpcFailure(call)).kind).toBe('unknown');
    broker.on('Heartbeat', (request) => request.reply(HEARTBEAT_ANSWER));
    expect(await rpc.call(1, 'Heartbeat', HEARTBEAT)).toEqual({ errorCode: 27 });
    expect(broker.connections).toBe(2);
  });

  it('is let go as soon as the broker ends its half: the next call does not go out in vain', async () => {
    broker.on('Heartbeat', (request) => {
      request.reply(HEARTBEAT_ANSWER);
      request.socket.end();
    });
    const rpc = connect();
    for (let round = 1; round <= 3; round++) {
      expect(await rpc.call(1, 'Heartbeat', HEARTBEAT)).toEqual({ errorCode: 27 });
      // The end of the stream follows the answer; it is read in a later turn of the loop.
      await new Promise((resolve) => systemClock.schedule(10, () => resolve(undefined)));
    }
    expect(broker.connections).toBe(3);
  });

  it('is noticed when it ends amid a frame', async () => {
    broker.on('Heartbeat', (request) => {
      const frame = answerFrame(request.correlationId, heartbeatAnswer(0));
      request.socket.end(frame.subarray(0, frame.length - 1));
    });
    const failure = await rpcFailure(connect().call(1, 'Heartbeat', HEARTBEAT));
    expect(failure.kind).toBe('unknown');
    expect(failure.api).toBe('Heartbeat');
    expect(failure.target).toBe(1);
  });

  it('sends what was still queued over the next one', async () => {
    const rpc = connect({ maxInFlightRequests: 1 });
    const carried = rpc.call(1, 'Heartbeat', HEARTBEAT);
    const queued = rpc.call(1, 'Heartbeat', { ...HEARTBEAT, generationId: 2 });
    await broker.received('Heartbeat');
    broker.on('Heartbeat', (request) => request.reply(HEARTBEAT_ANSWER));
    broker.cutAll();
    expect((await rpcFailure(carried)).kind).toBe('unknown');
    expect(await queued).toEqual({ errorCode: 27 });
  });

  it('that cannot be opened leaves its calls not-sent and names each address and its reason', async () => {
    const gone = await ScriptedBroker.start();
    const address = gone.address;
    await gone.stop();
    const rpc = createKafkaRpc(
      { brokers: [address, 'localhost:1'] },
      { clock: systemClock, logger: silentLogger },
    );
    open.push(rpc);
    const failure = await rpcFailure(rpc.call('bootstrap', 'Metadata', { topics: null }));
    expect(failure.kind).toBe('not-sent');
    const cause = failure.cause as Error;
    expect(cause.message).toContain(`${address} (connect ECONNREFUSED`);
    expect(cause.message).toContain('localhost:1 (');
    expect(failure.message).toContain(cause.message);
  });
});

describe('bootstrap', () => {
  it('tries the brokers in turn until one answers', async () => {
    const gone = await ScriptedBroker.start();
    const address = gone.address;
    await gone.stop();
    broker.on('Metadata', (request) => request.reply(goldenHex('MetadataResponse', 12)));
    const rpc = connect({ brokers: [address, broker.address] });
    expect((await rpc.call('bootstrap', 'Metadata', { topics: null })).clusterId).toBe('cluster');
  });

  it('reaches a broker by a name of several addresses, of which one listens', async () => {
    broker.on('Metadata', (request) => request.reply(goldenHex('MetadataResponse', 12)));
    const rpc = connect({ brokers: [`localhost:${broker.port}`] });
    expect((await rpc.call('bootstrap', 'Metadata', { topics: null })).clusterId).toBe('cluster');
  });

  it('asks the function for brokers each time it needs them', async () => {
    broker.on('Metadata', (request) => request.reply(goldenHex('MetadataResponse', 12)));
    let asked = 0;
    const rpc = connect({
      brokers: async () => {
        asked += 1;
        if (asked === 1) throw new Error('registry is down');
        return [broker.address];
      },
    });
    const failure = await rpcFailure(rpc.call('bootstrap', 'Metadata', { topics: null }));
    expect((failure.cause as Error).message).toContain('registry is down');
    expect((await rpc.call('bootstrap', 'Metadata', { topics: null })).controllerId).toBe(2);
  });

  it('falls back to brokers it has learnt of when the configured ones are gone', async () => {
    const gone = await ScriptedBroker.start();
    const address = gone.address;
    await gone.stop();
    broker.on('Metadata', (request) => request.reply(goldenHex('MetadataResponse', 12)));
    const rpc = connect({ brokers: [address] });
    expect((await rpc.call('bootstrap', 'Metadata', { topics: null })).clusterId).toBe('cluster');
  });

  it('refuses a node whose address is not known, without sending', async () => {
    const failure = await rpcFailure(connect().call(9, 'Heartbeat', HEARTBEAT));
    expect(failure.kind).toBe('not-sent');
  });

  it('follows a node to its new address', async () => {
    broker.on('Heartbeat', (request) => request.reply(heartbeatAnswer(1)));
    const rpc = connect();
    await rpc.call(1, 'Heartbeat', HEARTBEAT);
    const moved = await ScriptedBroker.start();
    moved.on('Heartbeat', (request) => request.reply(heartbeatAnswer(2)));
    rpc.learnNodes([{ nodeId: 1, host: '127.0.0.1', port: moved.port }]);
    expect(await rpc.call(1, 'Heartbeat', HEARTBEAT)).toEqual({ errorCode: 2 });
    await rpc.close();
    await moved.stop();
  });
});

describe('timeouts', () => {
  it('leave a call that was sent unknown and end its connection', async () => {
    const rpc = connect();
    const late = rpc.call(1, 'Heartbeat', HEARTBEAT, { timeoutMs: 20 });
    const behind = rpc.call(1, 'Heartbeat', HEARTBEAT, { timeoutMs: 60_000 });
    expect((await rpcFailure(late)).kind).toBe('unknown');
    expect((await rpcFailure(behind)).kind).toBe('unknown');
    broker.on('Heartbeat', (request) => request.reply(HEARTBEAT_ANSWER));
    expect(await rpc.call(1, 'Heartbeat', HEARTBEAT)).toEqual({ errorCode: 27 });
  });

  it('leave a call that never left not-sent', async () => {
    const rpc = connect({ maxInFlightRequests: 1 });
    const sent = rpc.call(1, 'Heartbeat', HEARTBEAT, { timeoutMs: 60_000 });
    const waiting = rpc.call(1, 'Heartbeat', HEARTBEAT, { timeoutMs: 20 });
    expect((await rpcFailure(waiting)).kind).toBe('not-sent');
    const [request] = await broker.received('Heartbeat');
    request!.reply(HEARTBEAT_ANSWER);
    expect(await sent).toEqual({ errorCode: 27 });
  });

  it('bound the handshake: a broker that says nothing is given up', async () => {
    broker.on('ApiVersions', () => undefined);
    const rpc = connect({ authenticationTimeout: 20 });
    const failure = await rpcFailure(rpc.call(1, 'Heartbeat', HEARTBEAT));
    expect(failure.kind).toBe('not-sent');
    expect((failure.cause as Error).message).toContain('ApiVersions has no answer within 20 ms');
  });
});

describe('malformed answers', () => {
  const protocolError = async (call: Promise<unknown>): Promise<MillraceError> => {
    const error = (await rejection(call)) as MillraceError;
    expect(error.code).toBe('MILLRACE_PROTOCOL_ERROR');
    return error;
  };

  it('to a later call end the connection: the answer before it is lost, and both calls are unknown', async () => {
    const rpc = connect();
    const first = rpcFailure(rpc.call(1, 'Heartbeat', HEARTBEAT));
    const second = rpcFailure(rpc.call(1, 'Heartbeat', HEARTBEAT));
    const [, two] = await broker.received('Heartbeat', 2);
    two!.reply(HEARTBEAT_ANSWER);
    expect((await first).kind).toBe('unknown');
    expect((await second).kind).toBe('unknown');
  });

  it('to no call at all end the connection: the oldest call learns why, the others are unknown', async () => {
    const rpc = connect();
    const first = rpc.call(1, 'Heartbeat', HEARTBEAT);
    const failure = rpcFailure(rpc.call(1, 'Heartbeat', HEARTBEAT));
    const [, two] = await broker.received('Heartbeat', 2);
    two!.reply(HEARTBEAT_ANSWER, 1_000_000);
    expect((await protocolError(first)).message).toContain('correlation id');
    expect((await failure).kind).toBe('unknown');
  });

  it('that are cut, or longer than their content, are refused and the connection dropped', async () => {
    for (const body of [HEARTBEAT_ANSWER.slice(0, -4), `${HEARTBEAT_ANSWER}00`]) {
      broker.on('Heartbeat', (request) => request.reply(body));
      const rpc = connect();
      const error = await protocolError(rpc.call(1, 'Heartbeat', HEARTBEAT));
      expect(error.message).toContain('Heartbeat version 4');
      broker.on('Heartbeat', (request) => request.reply(HEARTBEAT_ANSWER));
      expect(await rpc.call(1, 'Heartbeat', HEARTBEAT)).toEqual({ errorCode: 27 });
    }
  });

  it('that announce too large or negative a frame are refused before memory is taken', async () => {
    for (const byteLength of [0x7fffffff, -5, 0]) {
      broker.on('Heartbeat', (request) => {
        const head = Buffer.alloc(8);
        head.writeInt32BE(byteLength);
        request.socket.write(head);
      });
      expect((await protocolError(connect().call(1, 'Heartbeat', HEARTBEAT))).message).toContain('bytes');
    }
  });

  it('obey the configured limit', async () => {
    broker.on('Heartbeat', (request) => request.reply(Buffer.alloc(2000)));
    const error = await protocolError(connect({ maxFrameBytes: 1024 }).call(1, 'Heartbeat', HEARTBEAT));
    expect(error.message).toContain('maxFrameBytes');
  });

  it('are small until the broker is known', async () => {
    broker.on('ApiVersions', (request) => {
      const head = Buffer.alloc(4);
      head.writeInt32BE(1024 * 1024 + 1);
      request.socket.write(head);
    });
    const error = await protocolError(connect().call(1, 'Heartbeat', HEARTBEAT));
    expect(error.message).toContain('at most 1048576 are accepted');
  });

  it('of a listener that speaks TLS or HTTP say so', async () => {
    broker.on('ApiVersions', (request) => request.socket.write(Buffer.from('15030300020228', 'hex')));
    expect((await protocolError(connect().call(1, 'Heartbeat', HEARTBEAT))).message).toContain(
      '`ssl` is not set',
    );
    broker.on('ApiVersions', (request) => request.socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect((await protocolError(connect().call(1, 'Heartbeat', HEARTBEAT))).message).toContain('HTTP');
  });
});

describe('versions', () => {
  it('tell what both sides speak, and the transaction version', async () => {
    broker.on('ApiVersions', (request) =>
      request.reply(apiVersionsBody({ Produce: [3, 11], EndTxn: [0, 4], DeleteTopics: null }, 0)),
    );
    const features = await connect().features();
    expect(features.transactionVersion).toBe(0);
    expect(features.apiVersions.Produce).toBe(11);
    expect(features.apiVersions.EndTxn).toBe(4);
    expect(features.apiVersions.Fetch).toBe(17);
    expect(features.apiVersions.DeleteTopics).toBeUndefined();
  });

  it('are asked once per cluster', async () => {
    const rpc = connect();
    const [one, two] = await Promise.all([rpc.features(), rpc.features()]);
    expect(one).toBe(two);
    expect(await rpc.features()).toBe(one);
    expect(broker.connections).toBe(1);
    expect(one.transactionVersion).toBe(2);
  });

  it('below Kafka 3.9 are refused, naming what is missing', async () => {
    broker.on('ApiVersions', (request) =>
      request.reply(apiVersionsBody({ Fetch: [0, 16], FindCoordinator: [0, 5] }, 0)),
    );
    const rpc = connect();
    const error = (await rejection(rpc.call(1, 'Heartbeat', HEARTBEAT))) as MillraceError;
    expect(error.code).toBe('MILLRACE_BROKER_TOO_OLD');
    expect(error.message).toContain('Fetch up to version 16');
    expect(error.message).toContain('FindCoordinator up to version 5');
    await expect(rpc.features()).rejects.toMatchObject({ code: 'MILLRACE_BROKER_TOO_OLD' });
  });

  it('so old that ApiVersions itself is not understood are refused alike', async () => {
    broker.on('ApiVersions', (request) => request.reply(goldenHex('ApiVersionsResponse', 0)));
    await expect(connect().features()).rejects.toMatchObject({ code: 'MILLRACE_BROKER_TOO_OLD' });
  });

  it('that the broker lacks fail the one call, without sending it', async () => {
    broker.on('ApiVersions', (request) => request.reply(apiVersionsBody({ EndTxn: [0, 4] })));
    broker.on('Heartbeat', (request) => request.reply(HEARTBEAT_ANSWER));
    const rpc = connect();
    const endTxn = { transactionalId: 't', producerId: 1n, producerEpoch: 0, committed: true };
    await expect(rpc.call(1, 'EndTxn', { ...endTxn, transactionVersion2: true })).rejects.toMatchObject({
      code: 'MILLRACE_BROKER_TOO_OLD',
    });
    expect(await rpc.call(1, 'Heartbeat', HEARTBEAT)).toEqual({ errorCode: 27 });
    expect(broker.requests.some(({ api }) => api === 'EndTxn')).toBe(false);
  });
});

describe('close', () => {
  it('fails what is pending by whether it was sent, and everything afterwards', async () => {
    const rpc = connect({ maxInFlightRequests: 1 });
    const sent = rpcFailure(rpc.call(1, 'Heartbeat', HEARTBEAT));
    const queued = rpcFailure(rpc.call(1, 'Heartbeat', HEARTBEAT));
    await broker.received('Heartbeat');
    await rpc.close();
    expect((await sent).kind).toBe('unknown');
    expect((await queued).kind).toBe('not-sent');
    expect((await rpcFailure(rpc.call(1, 'Heartbeat', HEARTBEAT))).kind).toBe('not-sent');
    expect((await rpcFailure(rpc.features())).kind).toBe('not-sent');
  });
});
