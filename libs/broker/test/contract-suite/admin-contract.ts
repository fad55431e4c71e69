// The contract of administration.
import { expect, it } from '@jest/globals';
import { batch, errorOf } from './bench.ts';
import type { Bench } from './bench.ts';

export function adminContract(bench: () => Bench): void {
  const name = (prefix: string): string => bench().environment.uniqueName(prefix);

  it('creates topics with their configuration, leaves existing ones alone, describes and deletes them', async () => {
    const { admin } = bench().client;
    const topic = name('topic');
    await admin.createTopics([{ name: topic, partitionCount: 3, configs: { 'cleanup.policy': 'compact' } }]);
    await admin.createTopics([{ name: topic, partitionCount: 5 }]);
    const described = await admin.describeTopics([topic, name('absent')]);
    expect([...described.values()]).toMatchObject([{ name: topic, partitionCount: 3 }]);
    expect((await admin.topicConfigs([topic])).get(topic)).toMatchObject({ 'cleanup.policy': 'compact' });
    expect(await bench().client.partitionCount(topic)).toBe(3);
    expect(await admin.listTopics()).toContain(topic);
    await admin.deleteTopics([topic]);
    await bench().sleep(200);
    expect((await admin.describeTopics([topic])).size).toBe(0);
  });

  it('creates a topic once although the answer was lost', async () => {
    const clientId = name('client');
    bench().fault({ api: 'CreateTopics', on: 'answer', action: 'cut', clientId });
    const topic = name('topic');
    const { admin } = bench().newClient({ clientId });
    await admin.createTopics([{ name: topic, partitionCount: 2 }]);
    expect((await admin.describeTopics([topic])).get(topic)!.partitionCount).toBe(2);
  });

  it('refuses what the cluster refuses, with its reason', async () => {
    const error = await errorOf(
      bench().client.admin.createTopics([
        { name: name('topic'), partitionCount: 1, configs: { 'retention.ms': 'soon' } },
      ]),
    );
    expect(error).toMatchObject({ code: 'MILLRACE_REQUEST_FAILED' });
  });

  it('a topic that does not exist has no partition count', async () => {
    expect(await errorOf(bench().client.partitionCount(name('absent')))).toMatchObject({
      code: 'MILLRACE_TOPIC_MISSING',
    });
  });

  it('tells earliest, latest and timed offsets, and deletes records', async () => {
    const { admin } = bench().client;
    const topic = await bench().topic();
    const writer = await bench().writer();
    await bench().committed(writer, topic, 'a', 'b', 'c');
    writer.append(topic, 0, batch('open'));
    await writer.flush();
    const at = [{ topic, partition: 0 }];
    const key = `${topic}-0`;
    expect((await admin.offsets(at, 'earliest', 'read_committed')).get(key)).toBe(0);
    expect((await admin.offsets(at, 'latest', 'read_committed')).get(key)).toBe(4);
    expect((await admin.offsets(at, 'latest', 'read_uncommitted')).get(key)).toBe(5);
    expect((await admin.offsets(at, { timestampMs: 0 }, 'read_uncommitted')).get(key)).toBe(0);
    expect((await admin.offsets(at, { timestampMs: Date.UTC(2100, 0) }, 'read_uncommitted')).get(key)).toBe(
      5,
    );
    await admin.deleteRecords([{ topic, partition: 0, offset: 2 }]);
    expect((await admin.offsets(at, 'earliest', 'read_committed')).get(key)).toBe(2);
    await writer.abort();
  });

  it('commits and fetches offsets of a group, with leader epoch and metadata', async () => {
    const { admin } = bench().client;
    const topic = await bench().topic(2);
    const groupId = name('group');
    expect((await admin.committedOffsets(groupId, null)).size).toBe(0);
    const offset = { topic, partition: 1, offset: 12, leaderEpoch: 3, metadata: 'ours' };
    await admin.commitOffsets(groupId, [offset], null);
    const all = await admin.committedOffsets(groupId, null);
    expect([...all]).toEqual([[`${topic}-1`, { offset: 12, leaderEpoch: 3, metadata: 'ours' }]]);
  });

  it('refuses offsets under a membership that the group does not have', async () => {
    const topic = await bench().topic();
    const member = { generationId: 3, memberId: 'nobody', groupInstanceId: null };
    const offset = { topic, partition: 0, offset: 1, leaderEpoch: 0, metadata: '' };
    expect(await errorOf(bench().client.admin.commitOffsets(name('group'), [offset], member))).toMatchObject({
      code: 'MILLRACE_GENERATION_LOST',
    });
  });
}
