// Owns our own data inside the group protocol's standard framing: what a member tells the leader, and what the leader answers.
//
// Versions, so that members of different ones make one group (a rolling upgrade):
// 1. What a member says is JSON which any version reads: who it is and what it runs. What came with version 2 is in one field of it,
//    as bytes of numbered fields; what a reader does not know it passes over.
// 2. A leader answers each member in the newest version that both know: JSON for version 1, numbered fields from version 2 on.
// 3. All this is kept by the broker in one record for the whole group, of 1 MB as a rule. So nothing here grows with the number of
//    members for each member: sets of tasks are runs, and ids of others are told only to small groups, or to those they concern.
import { createHash } from 'node:crypto';
import { MillraceError } from '#libs/core';
import type { TaskIdText } from '#libs/core';
import type { HostTasks } from '../queries/host-directory.ts';
import { FieldWriter, MalformedFields, readFields } from './fields.ts';

export const GROUP_DATA_VERSION = 2;

/** In a member's subscription. */
export interface MemberData {
  /** Tells the successor of a dead member whose transaction to settle. */
  readonly transactionalId: string;
  readonly instanceId: string;
  /** Tasks the member runs or restores as it joins. */
  readonly tasks: readonly TaskIdText[];
  /** Tasks that the last assignment meant it to run in the end. */
  readonly expects: readonly TaskIdText[];
  /** Standby and warm-up copies it keeps. */
  readonly standbys: readonly TaskIdText[];
  /** Sum of the changelog offsets its state reaches, by task that it has state of and that does not run there. */
  readonly positions: ReadonlyMap<TaskIdText, number>;
  readonly rack: string | null;
  /** Where its queries are answered, `host:port`. */
  readonly applicationServer: string | null;
  readonly capacity: number;
  /** Counts the times it joined only to be seen: the coordinator lets a member that says what it said before go on without a round. */
  readonly repeats: number;
  /** Fingerprints of its sub-topologies (topology-shape.ts), by number; `null`: its version does not say. */
  readonly shapes: ReadonlyMap<number, number> | null;
}

/**
 * 32 bits of what stays the same in a member's data while its process lives. A leader tells each member those that it has seen: a
 * static member that comes back with other data is not shown to the leader (KAFKA-12759), and learns of that here.
 */
export function identityOf(
  data: Pick<MemberData, 'transactionalId' | 'rack' | 'capacity' | 'shapes' | 'applicationServer'>,
): number {
  const shapes = data.shapes === null ? null : [...data.shapes].sort(([a], [b]) => a - b);
  const parts: unknown[] = [data.transactionalId, data.rack, data.capacity, shapes];
  // Left out where there is none, so that versions that do not know it agree.
  if (data.applicationServer !== null) parts.push(data.applicationServer);
  const text = JSON.stringify(parts);
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}

/** As read: the version that the member speaks, and what only version 1 says. */
export interface DecodedMemberData extends MemberData {
  readonly version: number;
  /** Tasks whose state lies on its disk, how far is not said. */
  readonly localTasks: readonly TaskIdText[];
}

/** In a member's assignment. */
export interface AssignmentData {
  readonly active: readonly TaskIdText[];
  readonly standby: readonly TaskIdText[];
  readonly warmup: readonly TaskIdText[];
  /** Tasks that wait for this member to give them up, by joining again; also if it has restarted since and runs them no more. */
  readonly givesUp: readonly TaskIdText[];
  readonly expects: readonly TaskIdText[];
  /** How many members this generation has. */
  readonly memberCount: number;
  /** Transactional ids of members of this generation: never to be fenced by a successor. Left out in large groups. */
  readonly live: readonly string[];
  /** Transactional ids of members of an earlier generation that are gone: new owners settle their transactions first. */
  readonly departed: readonly string[];
  /** Tasks wait for their owners to give them up: whoever hears it asks for the round that hands them over, at once. */
  readonly handover: boolean;
  /** The member's data as the leader has seen it (`identityOf`); `null`: its version does not say. */
  readonly seen: number | null;
  /** Who has which tasks, of the members that have said where they are. Left out in large groups. */
  readonly hosts: readonly HostTasks[];
  /** When the leader wants another round though nothing happens; `null`: it does not. */
  readonly probeInMs: number | null;
}

const RACK = 1;
const CAPACITY = 2;
const EXPECTS = 3;
const STANDBYS = 4;
const POSITIONS = 5;
const SHAPES = 6;
const REPEATS = 7;
const APPLICATION_SERVER = 8;

const ACTIVE = 1;
const STANDBY = 2;
const WARMUP = 3;
const GIVES_UP = 4;
const EXPECTED = 5;
const LIVE = 6;
const DEPARTED = 7;
const PROBE_IN_MS = 8;
const HANDOVER = 9;
const MEMBER_COUNT = 10;
const SEEN = 11;
const HOSTS = 12;

/** First byte of an assignment in fields; none of a JSON text. The second is the version. */
const FIELDS_MARK = 0xfd;
const JSON_MARK = 0x7b;
/** Every version that was: a later one is read as the newest known, its fields being added, never changed. */
const VERSION_MAX = 1_000;

export function encodeMemberData(data: MemberData): Uint8Array {
  const more = new FieldWriter().tasks(EXPECTS, data.expects).tasks(STANDBYS, data.standbys);
  more.figures(POSITIONS, data.positions);
  if (data.rack !== null) more.text(RACK, data.rack);
  if (data.applicationServer !== null) more.text(APPLICATION_SERVER, data.applicationServer);
  if (data.capacity !== 1) more.number(CAPACITY, data.capacity);
  if (data.shapes !== null) more.pairs(SHAPES, data.shapes);
  if (data.repeats > 0) more.number(REPEATS, data.repeats);
  return Buffer.from(
    JSON.stringify({
      version: GROUP_DATA_VERSION,
      transactionalId: data.transactionalId,
      instanceId: data.instanceId,
      tasks: data.tasks,
      more: Buffer.from(more.finish()).toString('base64'),
    }),
  );
}

/** @throws MillraceError MILLRACE_PROTOCOL_ERROR when the member is no Millrace worker, or its data is damaged. */
export function decodeMemberData(memberId: string, bytes: Uint8Array): DecodedMemberData {
  const json = parse(bytes);
  const transactionalId = json?.['transactionalId'];
  const instanceId = json?.['instanceId'];
  const version = json?.['version'];
  if (typeof transactionalId !== 'string' || typeof instanceId !== 'string' || !isVersion(version)) {
    throw foreign(memberId);
  }
  const base = {
    version,
    transactionalId,
    instanceId,
    tasks: taskNames(json?.['tasks']),
    localTasks: taskNames(json?.['localTasks']),
  };
  const more = json?.['more'];
  if (version === 1 || typeof more !== 'string') {
    return {
      ...base,
      expects: [],
      standbys: [],
      positions: new Map(),
      rack: null,
      applicationServer: null,
      capacity: 1,
      shapes: null,
      repeats: 0,
    };
  }
  return readable(`Member "${memberId}" says what it keeps in data`, () => {
    const fields = readFields(Buffer.from(more, 'base64'));
    return {
      ...base,
      expects: fields.get(EXPECTS)?.tasks() ?? [],
      standbys: fields.get(STANDBYS)?.tasks() ?? [],
      positions: fields.get(POSITIONS)?.figures() ?? new Map<TaskIdText, number>(),
      rack: fields.get(RACK)?.texts()[0] ?? null,
      applicationServer: fields.get(APPLICATION_SERVER)?.texts()[0] ?? null,
      capacity: Math.max(1, fields.get(CAPACITY)?.varint() ?? 1),
      shapes: fields.get(SHAPES)?.pairs() ?? null,
      repeats: fields.get(REPEATS)?.varint() ?? 0,
    };
  });
}

/** `version`: what the member speaks that it is for. */
export function encodeAssignmentData(data: AssignmentData, version: number): Uint8Array {
  if (version < 2) {
    const { active, live, departed, givesUp, handover } = data;
    return Buffer.from(JSON.stringify({ version: 1, tasks: active, live, departed, givesUp, handover }));
  }
  const fields = new FieldWriter()
    .tasks(ACTIVE, data.active)
    .tasks(STANDBY, data.standby)
    .tasks(WARMUP, data.warmup)
    .tasks(GIVES_UP, data.givesUp)
    .tasks(EXPECTED, data.expects)
    .texts(LIVE, data.live)
    .texts(DEPARTED, data.departed);
  if (data.handover) fields.number(HANDOVER, 1);
  fields.number(MEMBER_COUNT, data.memberCount);
  if (data.seen !== null) fields.number(SEEN, data.seen);
  fields.placements(
    HOSTS,
    data.hosts.map(({ host, active, standby }) => [host, [...active], [...standby]]),
  );
  if (data.probeInMs !== null) fields.number(PROBE_IN_MS, Math.ceil(data.probeInMs));
  return Buffer.concat([Buffer.of(FIELDS_MARK, GROUP_DATA_VERSION), fields.finish()]);
}

/** No bytes at all are an empty assignment. @throws MillraceError MILLRACE_PROTOCOL_ERROR */
export function decodeAssignmentData(bytes: Uint8Array): AssignmentData {
  if (bytes.length === 0) return EMPTY;
  const what = 'The leader of the group assigns tasks in data';
  if (bytes[0] === JSON_MARK) {
    const json = parse(bytes);
    if (json === null) throw damaged(what, 'it is no JSON');
    return {
      ...EMPTY,
      active: taskNames(json['tasks']),
      live: texts(json['live']),
      departed: texts(json['departed']),
      givesUp: taskNames(json['givesUp']),
      handover: json['handover'] === true,
      memberCount: texts(json['live']).length,
    };
  }
  if (bytes[0] !== FIELDS_MARK || bytes.length < 2) throw damaged(what, 'it begins as none of ours does');
  return readable(what, () => {
    const fields = readFields(bytes.subarray(2));
    return {
      active: fields.get(ACTIVE)?.tasks() ?? [],
      standby: fields.get(STANDBY)?.tasks() ?? [],
      warmup: fields.get(WARMUP)?.tasks() ?? [],
      givesUp: fields.get(GIVES_UP)?.tasks() ?? [],
      expects: fields.get(EXPECTED)?.tasks() ?? [],
      live: fields.get(LIVE)?.texts() ?? [],
      departed: fields.get(DEPARTED)?.texts() ?? [],
      handover: fields.has(HANDOVER),
      memberCount: fields.get(MEMBER_COUNT)?.varint() ?? 0,
      seen: fields.get(SEEN)?.varint() ?? null,
      hosts: (fields.get(HOSTS)?.placements(2) ?? []).map(({ name, sets }) => ({
        host: name,
        active: sets[0]!,
        standby: sets[1]!,
      })),
      probeInMs: fields.get(PROBE_IN_MS)?.varint() ?? null,
    };
  });
}

const EMPTY: AssignmentData = {
  active: [],
  standby: [],
  warmup: [],
  givesUp: [],
  expects: [],
  live: [],
  departed: [],
  handover: false,
  memberCount: 0,
  seen: null,
  hosts: [],
  probeInMs: null,
};

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= VERSION_MAX;
}

function parse(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const TASK_NAME = /^\d{1,9}_\d{1,9}$/;

function taskNames(value: unknown): TaskIdText[] {
  return texts(value).filter((text): text is TaskIdText => TASK_NAME.test(text));
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function readable<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedFields) throw damaged(what, error.message);
    throw error;
  }
}

function damaged(what: string, why: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_PROTOCOL_ERROR',
    message: `${what} that does not decode: ${why}.`,
    remedy:
      'Look for another kind of client, or a damaged build, in the consumer group of the application.id.',
  });
}

function foreign(memberId: string): MillraceError {
  return new MillraceError({
    code: 'MILLRACE_PROTOCOL_ERROR',
    message: `Member "${memberId}" of the consumer group is not a Millrace worker.`,
    remedy: 'Use an application.id that no other consumer uses as its group id.',
    context: { memberId },
  });
}
