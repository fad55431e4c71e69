// The assignor alone: how long the leader thinks, how many tasks move, how many bytes the group's answer has.
// node --conditions=millrace-source test/benchmarks/micro/assignor.ts [tasks] [members]
//
// A topology of four sub-topologies, three of them stateful. Each line is one rebalance, with what followed from the one before.
import type { TaskIdText } from '#libs/core';
import { assignTasks, encodeAssignmentData, encodeMemberData } from '#libs/runtime';
import type { AssignableMember, AssignableTask } from '#libs/runtime';

const taskCount = Number(process.argv[2] ?? 10_000);
const memberCount = Number(process.argv[3] ?? 1_000);
const RACKS = 3;
const SUBS = [
  { weight: 2, stateful: true },
  { weight: 4, stateful: true },
  { weight: 3, stateful: true },
  { weight: 1, stateful: false },
];

const tasks: AssignableTask[] = Array.from({ length: taskCount }, (_, i) => ({
  name: `${i % SUBS.length}_${Math.floor(i / SUBS.length)}`,
  ...SUBS[i % SUBS.length]!,
}));

class Group {
  members = new Map<string, AssignableMember>();
  private readonly numStandbys: number;
  private generation = 0;

  constructor(numStandbys: number) {
    this.numStandbys = numStandbys;
  }

  join(id: string): void {
    this.members.set(id, {
      memberId: id,
      processId: id,
      rack: `rack-${Number(id.slice(1)) % RACKS}`,
      capacity: 1,
      owned: [],
      generationId: 0,
      expects: [],
      standbys: [],
      lags: new Map(),
      runs: null,
      keepsCopies: true,
    });
  }

  /** One rebalance, timed; every copy has caught up when the next one begins. */
  round(what: string): void {
    const before = this.runners();
    const members = [...this.members.values()];
    const settings = { numStandbys: this.numStandbys, acceptableRecoveryLag: 10_000, maxWarmups: 2 };
    const from = process.cpuUsage();
    const assignment = assignTasks(members, tasks, settings);
    // Of the processor, so that what else runs on the machine does not count.
    const { user, system } = process.cpuUsage(from);
    const ms = (user + system) / 1000;
    let bytes = 0;
    for (const member of members) {
      const copies = assignment.members.get(member.memberId)!;
      const standbys = [...copies.standby, ...copies.warmup];
      this.members.set(member.memberId, {
        ...member,
        owned: copies.active,
        generationId: this.generation,
        expects: copies.expects,
        standbys,
        lags: new Map(standbys.map((name) => [name, 0])),
      });
      bytes += this.bytesOf(this.members.get(member.memberId)!, copies);
    }
    this.generation++;
    const after = this.runners();
    let moved = 0;
    for (const [name, member] of after) if (before.get(name) !== member) moved++;
    const loads = [...this.members.values()].map(({ owned }) => owned.length);
    console.log(
      [
        `standbys ${this.numStandbys}`,
        what.padEnd(28),
        `${ms.toFixed(0).padStart(5)} ms`,
        `${String(moved).padStart(6)} began elsewhere`,
        `${String(assignment.withheld.length).padStart(5)} withheld`,
        `${String(assignment.warmingUp.length).padStart(3)} warming up`,
        `tasks a member ${Math.min(...loads)}–${Math.max(...loads)}`,
        `${(bytes / 1024).toFixed(0)} KiB in the group`,
      ].join('  '),
    );
  }

  private bytesOf(
    member: AssignableMember,
    copies: { active: readonly TaskIdText[]; standby: readonly TaskIdText[] },
  ): number {
    const id = `application-instance-${member.memberId}-0`;
    const { owned, expects, standbys, rack } = member;
    const positions = new Map(standbys.map((name) => [name, 1_000_000_000]));
    const shapes = new Map(SUBS.map((_, sub) => [sub, 0xffff_ffff]));
    const said = {
      transactionalId: id,
      instanceId: id,
      tasks: owned,
      expects,
      standbys,
      positions,
      rack,
      applicationServer: null,
      capacity: 1,
      repeats: 0,
      shapes,
    };
    const told = {
      ...copies,
      warmup: [],
      givesUp: [],
      expects,
      live: [],
      departed: [],
      handover: false,
      memberCount: 1_000,
      seen: 0xffff_ffff,
      hosts: [],
      probeInMs: null,
    };
    return encodeMemberData(said).length + encodeAssignmentData(told, 2).length;
  }

  private runners(): Map<TaskIdText, string> {
    const runners = new Map<TaskIdText, string>();
    for (const { memberId, owned } of this.members.values())
      for (const name of owned) runners.set(name, memberId);
    return runners;
  }
}

console.log(`${taskCount} tasks over ${memberCount} members`);
for (const numStandbys of [0, 1, 2]) {
  const group = new Group(numStandbys);
  for (let i = 0; i < memberCount; i++) group.join(`m${String(i).padStart(5, '0')}`);
  group.round('all at once, from nothing');
  group.round('unchanged');
  group.join('m99999');
  group.round('one joins');
  group.round('… and the round after');
  group.members.delete('m00007');
  group.round('one leaves');
  for (let i = 0; i < memberCount / 10; i++) group.members.delete(`m${String(i * 10 + 3).padStart(5, '0')}`);
  group.round('a tenth leaves');
  for (let i = 0; i < memberCount / 10; i++) group.join(`m${String(i * 10 + 3).padStart(5, '0')}`);
  group.round('a tenth joins, without state');
}
