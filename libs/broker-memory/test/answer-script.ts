// Owns the last part of the conversation of answer-conversation.ts: groups, their members, and what becomes of them.
import type { JoinGroupRequest, RpcAnswers } from '#libs/broker';
import { AnswerConversation, UNGROUPED } from './answer-conversation.ts';

export class AnswerScript extends AnswerConversation {
  protected override async groups(): Promise<void> {
    const groupId = this.name('group');
    const node = await this.coordinator('group', groupId);
    const joining = (memberId: string, options: Partial<JoinGroupRequest> = {}): JoinGroupRequest => ({
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 5_000,
      memberId,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [
        {
          name: 'p',
          metadata: Buffer.from([
            0, 3, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255,
          ]),
        },
      ],
      reason: 'script',
      ...options,
    });
    const join = (request: JoinGroupRequest): Promise<RpcAnswers['JoinGroup']> =>
      this.rpc.call(node, 'JoinGroup', request, { lane: 'group', timeoutMs: 20_000 });
    this.note('join of an invented member', (await join(joining('invented'))).errorCode);
    const asked = await join(joining(''));
    this.note('join of a new member', [asked.errorCode, asked.memberId !== '']);
    const joined = await join(joining(asked.memberId));
    this.note('join', [
      joined.errorCode,
      joined.generationId,
      joined.leader === asked.memberId,
      joined.members.length,
      joined.protocolName,
    ]);
    const { memberId } = asked;
    const member = { generationId: joined.generationId, memberId, groupInstanceId: null };
    this.note('commit before the sync', await this.commit(groupId, member));
    const sync = (generationId: number, id = memberId): Promise<RpcAnswers['SyncGroup']> =>
      this.rpc.call(node, 'SyncGroup', {
        groupId,
        generationId,
        memberId: id,
        groupInstanceId: null,
        protocolType: 'consumer',
        protocolName: 'p',
        assignments: [{ memberId, assignment: Buffer.from('all') }],
      });
    this.note('sync of another generation', (await sync(99)).errorCode);
    this.note('sync of an invented member', (await sync(joined.generationId, 'invented')).errorCode);
    this.note('sync', [
      (await sync(joined.generationId)).errorCode,
      String((await sync(joined.generationId)).assignment),
    ]);
    const beat = async (
      options: {
        generationId?: number;
        memberId?: string;
        groupInstanceId?: string | null;
        group?: string;
      } = {},
    ): Promise<number> => {
      const { group = groupId, ...rest } = options;
      return (await this.rpc.call(node, 'Heartbeat', { groupId: group, ...member, ...rest })).errorCode;
    };
    this.note('heartbeat', await beat());
    this.note('heartbeat of another generation', await beat({ generationId: 99 }));
    this.note('heartbeat of an invented member', await beat({ memberId: 'invented' }));
    this.note('heartbeat of an invented instance', await beat({ groupInstanceId: 'invented' }));
    this.note('heartbeat in a group nobody knows', await beat({ group: this.name('unknown') }));
    this.note('commit', await this.commit(groupId, member));
    this.note('commit without a membership', await this.commit(groupId, UNGROUPED));
    this.note('commit of another generation', await this.commit(groupId, { ...member, generationId: 99 }));
    this.note(
      'commit of an invented member',
      await this.commit(groupId, { ...member, memberId: 'invented' }),
    );
    this.note('commit of a topic that is not there', await this.commit(groupId, member, this.name('absent')));
    const described = await this.rpc.call(node, 'DescribeGroups', { groupIds: [groupId] });
    const { errorCode, groupState, protocolType, protocolName, members } = described.groups[0]!;
    this.note('described', [errorCode, groupState, protocolType, protocolName, members.length]);
    const other = joining('', { protocols: [{ name: 'other', metadata: Buffer.alloc(2) }] });
    this.note('join with another protocol', (await join(other)).errorCode);
    const again = await join(joining(memberId));
    this.note('join again', [again.errorCode, again.generationId - joined.generationId]);
    const leave = async (id: string, groupInstanceId: string | null = null): Promise<number> =>
      (
        await this.rpc.call(node, 'LeaveGroup', {
          groupId,
          members: [{ memberId: id, groupInstanceId, reason: null }],
        })
      ).members[0]!.errorCode;
    this.note('leave of an invented member', await leave('invented'));
    this.note('leave', await leave(memberId));
    this.note('leave again', await leave(memberId));
    this.note('heartbeat after the leave', await beat());
    await this.#statics(groupId, joining, join, leave);
  }

  async #statics(
    groupId: string,
    joining: (memberId: string, options?: Partial<JoinGroupRequest>) => JoinGroupRequest,
    join: (request: JoinGroupRequest) => Promise<RpcAnswers['JoinGroup']>,
    leave: (memberId: string, groupInstanceId?: string | null) => Promise<number>,
  ): Promise<void> {
    const node = await this.coordinator('group', groupId);
    const groupInstanceId = 'static';
    const first = await join(joining('', { groupInstanceId }));
    this.note('static join', [first.errorCode, first.members.length, first.skipAssignment]);
    const sync = {
      groupId,
      generationId: first.generationId,
      memberId: first.memberId,
      groupInstanceId,
      protocolType: 'consumer',
      protocolName: 'p',
      assignments: [{ memberId: first.memberId, assignment: Buffer.from('all') }],
    };
    this.note('static sync', (await this.rpc.call(node, 'SyncGroup', sync)).errorCode);
    const second = await join(joining('', { groupInstanceId }));
    this.note('static join again', [
      second.errorCode,
      second.generationId - first.generationId,
      second.memberId === first.memberId,
      second.skipAssignment,
      second.leader === second.memberId,
      second.members.length,
    ]);
    const beat = async (memberId: string): Promise<number> =>
      (
        await this.rpc.call(node, 'Heartbeat', {
          groupId,
          memberId,
          groupInstanceId,
          generationId: first.generationId,
        })
      ).errorCode;
    this.note('static heartbeats', [await beat(first.memberId), await beat(second.memberId)]);
    this.note(
      'static commit of who was fenced',
      await this.commit(groupId, {
        generationId: first.generationId,
        memberId: first.memberId,
        groupInstanceId,
      } as unknown as typeof UNGROUPED),
    );
    this.note('static leave by name', await leave('', groupInstanceId));
    this.note('static leave by name again', await leave('', groupInstanceId));
  }
}
