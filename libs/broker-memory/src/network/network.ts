// Owns how messages get from clients to brokers and back: connections, faults, delays. Each leg is an event of its own on the
// clock. It never looks into a message, but for copying what a client may overwrite.
import type { ApiName, RpcLane, RpcRequests, RpcTarget } from '#libs/broker';
import type { ClusterCore, Handler, Handlers } from '../cluster-core.ts';
import type { Leg } from '../options.ts';
import { SeededRandom } from '../seeded-random.ts';
import { Connection } from './connection.ts';
import type { AnyAnswer, Call, Carrier } from './connection.ts';
import { FaultDice } from './fault-plan.ts';
import type { FaultPlan } from './fault-plan.ts';
import { ActiveRule } from './fault-rules.ts';
import type { Fault, FaultRule } from './fault-rules.ts';
import { ClientProcess } from './process.ts';

/** Of libs/kafka: nothing is sent behind one of these, so that only calls of one kind wait for each other. */
const SLOW_APIS: ReadonlySet<ApiName> = new Set([
  'Fetch',
  'JoinGroup',
  'SyncGroup',
  'CreateTopics',
  'DeleteTopics',
  'DeleteRecords',
]);

/** The connections of one port, by node and lane. */
export type Lanes = Map<string, Connection[]>;

export class Network implements Carrier {
  readonly #core: ClusterCore;
  readonly #handlers: Handlers;
  readonly #random: SeededRandom;
  readonly #processes = new Set<ClientProcess>();
  readonly #connections = new Map<ClientProcess, Set<Connection>>();
  #rules: ActiveRule[] = [];
  #dice: FaultDice | undefined;

  constructor(core: ClusterCore, handlers: Handlers) {
    this.#core = core;
    this.#handlers = handlers;
    this.#random = new SeededRandom(core.settings.seed ^ 0x5bd1e995);
    this.setFaultPlan(core.settings.faultPlan);
  }

  // --- faults --------------------------------------------------------------------------------------------------

  setFaultPlan(plan: FaultPlan | undefined): void {
    const { seed, transactionVersion } = this.#core.settings;
    this.#dice = plan === undefined ? undefined : new FaultDice(plan, seed, transactionVersion);
  }

  fault(rule: FaultRule): Fault {
    const added = new ActiveRule(rule, (removed) => {
      this.#rules = this.#rules.filter((other) => other !== removed);
    });
    this.#rules = [...this.#rules, added];
    return added;
  }

  /** The first rule that concerns a leg, and what it does to it. */
  #ruling(
    on: 'request' | 'answer',
    api: ApiName,
    clientId: string,
  ): { rule: ActiveRule; action: FaultRule['action'] } | undefined {
    for (const rule of this.#rules) {
      const action = rule.apply(on, api, clientId);
      if (action !== undefined) return { rule, action };
    }
    return undefined;
  }

  // --- processes -----------------------------------------------------------------------------------------------

  newProcess(clientId: string): ClientProcess {
    const process = new ClientProcess(clientId, this.#core.clock);
    this.#processes.add(process);
    this.#connections.set(process, new Set());
    return process;
  }

  processesOf(clientId: string): ClientProcess[] {
    return [...this.#processes].filter((process) => process.clientId === clientId);
  }

  /** A process that will not be asked for any more. */
  forgetProcess(process: ClientProcess): void {
    this.#processes.delete(process);
    this.#connections.delete(process);
  }

  endProcess(process: ClientProcess): void {
    process.kill();
    for (const connection of this.#connections.get(process) ?? []) connection.orphan();
    this.forgetProcess(process);
  }

  /** A broker has gone: its connections break. */
  cutNode(nodeId: number): void {
    for (const connections of this.#connections.values()) {
      for (const connection of [...connections]) {
        if (connection.nodeId === nodeId) this.#cut(connection, `broker ${nodeId} has gone`);
      }
    }
  }

  /** Breaks the connections of one client. */
  cutClient(clientId: string): void {
    for (const process of this.processesOf(clientId)) {
      for (const connection of [...(this.#connections.get(process) ?? [])]) {
        this.#cut(connection, 'the connection was cut');
      }
    }
  }

  #cut(connection: Connection, why: string): void {
    this.#core.trace.note('cut', why, connection.nodeId);
    connection.cut(why);
  }

  // --- the way there -------------------------------------------------------------------------------------------

  static isSlow(api: ApiName): boolean {
    return SLOW_APIS.has(api);
  }

  /** The node that `target` means; undefined when nobody answers there. */
  resolve(target: RpcTarget): number | undefined {
    if (target === 'bootstrap') return this.#core.nodes.firstUp()?.nodeId;
    return this.#core.nodes.isUp(target) ? target : undefined;
  }

  send(call: Call, nodeId: number, lane: RpcLane, lanes: Lanes): Connection {
    const connection = this.#connectionFor(call, nodeId, lane, lanes);
    connection.expect(call);
    const { api, process } = call;
    const { clientId } = process;
    const { trace } = this.#core;
    trace.note('request', `${clientId} ${api}`, nodeId);
    const latencyMs = this.#latency('request', api);
    const ruling = this.#ruling('request', api, clientId);
    if (ruling !== undefined) {
      const { rule, action } = ruling;
      if (action === 'drop' || action === 'cut') {
        trace.note('lost-request', `${clientId} ${api}`, action);
        if (action === 'cut')
          this.#core.after(latencyMs, () => this.#cut(connection, 'the connection was cut'));
        return connection;
      }
      const go = connection.sendRequest(call);
      if (action === 'hold') rule.hold(go);
      else this.#core.after(latencyMs + action, go);
      return connection;
    }
    const fate = this.#dice?.throw('request', api, clientId);
    if (fate !== undefined && fate.lost !== 'no') {
      trace.note('lost-request', `${clientId} ${api}`, fate.lost);
      if (fate.lost === 'cut')
        this.#core.after(latencyMs, () => this.#cut(connection, 'the connection was lost'));
      return connection;
    }
    if (fate !== undefined && fate.delayMs > 0) trace.note('delayed', `${clientId} ${api}`, 'request');
    this.#core.after(latencyMs + (fate?.delayMs ?? 0), connection.sendRequest(call));
    if (fate !== undefined && fate.againAfterMs >= 0)
      this.#repeat(call, nodeId, latencyMs + fate.againAfterMs);
    return connection;
  }

  #connectionFor(call: Call, nodeId: number, lane: RpcLane, lanes: Lanes): Connection {
    const key = `${nodeId}/${lane}`;
    let list = lanes.get(key);
    if (list === undefined) lanes.set(key, (list = []));
    for (let i = list.length - 1; i >= 0; i--) {
      if (list[i]!.open) continue;
      this.#connections.get(call.process)?.delete(list[i]!);
      list.splice(i, 1);
    }
    for (const connection of list) if (!connection.isSlow) return connection;
    const added = new Connection(nodeId, this.#core.nodes.get(nodeId)!.life, this);
    list.push(added);
    this.#connections.get(call.process)?.add(added);
    return added;
  }

  /** The request comes once more, past every order. Its answer goes nowhere. */
  #repeat(call: Call, nodeId: number, delayMs: number): void {
    const request =
      call.api === 'Produce' ? copyOfProduce(call.request as RpcRequests['Produce']) : call.request;
    const { life } = this.#core.nodes.get(nodeId)!;
    this.#core.after(delayMs, () => {
      if (!this.#isAlive(nodeId, life)) return;
      this.#core.trace.note('duplicate', `${call.process.clientId} ${call.api}`, nodeId);
      this.#apply({ ...call, request }, nodeId, () => undefined);
    });
  }

  // --- at the broker -------------------------------------------------------------------------------------------

  serve(connection: Connection, call: Call, done: (answer: AnyAnswer) => void): void {
    const { nodeId, life } = connection;
    const delayMs = this.#latency('apply', call.api);
    const serveNow = (): void => {
      if (!this.#isAlive(nodeId, life)) return;
      this.#core.trace.note('apply', `${call.process.clientId} ${call.api}`, nodeId);
      this.#apply(call, nodeId, (answer) => {
        if (this.#isAlive(nodeId, life)) done(answer);
      });
    };
    if (delayMs > 0) this.#core.after(delayMs, serveNow);
    else serveNow();
  }

  #apply(call: Call, nodeId: number, reply: (answer: AnyAnswer) => void): void {
    const handler = this.#handlers[call.api] as Handler<ApiName>;
    handler(call.request, { clientId: call.process.clientId, nodeId }, reply);
  }

  #isAlive(nodeId: number, life: number): boolean {
    const node = this.#core.nodes.get(nodeId)!;
    return node.up && node.life === life;
  }

  // --- the way back --------------------------------------------------------------------------------------------

  carryBack(connection: Connection, call: Call, answer: AnyAnswer): void {
    const { api } = call;
    const { clientId } = call.process;
    const { trace } = this.#core;
    const latencyMs = this.#latency('answer', api);
    const ruling = this.#ruling('answer', api, clientId);
    if (ruling !== undefined) {
      const { rule, action } = ruling;
      if (action === 'drop' || action === 'cut') {
        trace.note('lost-answer', `${clientId} ${api}`, action);
        if (action === 'cut')
          this.#core.after(latencyMs, () => this.#cut(connection, 'the connection was cut'));
        return;
      }
      const go = connection.sendAnswer(call, answer);
      if (action === 'hold') rule.hold(go);
      else this.#core.after(latencyMs + action, go);
      return;
    }
    const fate = this.#dice?.throw('answer', api, clientId);
    if (fate !== undefined && fate.lost !== 'no') {
      trace.note('lost-answer', `${clientId} ${api}`, fate.lost);
      if (fate.lost === 'cut')
        this.#core.after(latencyMs, () => this.#cut(connection, 'the connection was lost'));
      return;
    }
    if (fate !== undefined && fate.delayMs > 0) trace.note('delayed', `${clientId} ${api}`, 'answer');
    this.#core.after(latencyMs + (fate?.delayMs ?? 0), connection.sendAnswer(call, answer));
  }

  #latency(leg: Leg, api: ApiName): number {
    const { latencyMs } = this.#core.settings;
    return typeof latencyMs === 'number'
      ? leg === 'apply'
        ? 0
        : latencyMs
      : latencyMs(leg, api, this.#draw);
  }

  readonly #draw = (): number => this.#random.next();
}

/** With bytes of its own: a client may reuse what it sent once it was answered, and a log keeps what it was given. */
export function copyOfProduce(request: RpcRequests['Produce']): RpcRequests['Produce'] {
  return {
    ...request,
    topics: request.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map(({ partition, records }) => ({
        partition,
        records: [records.length === 1 ? Buffer.from(records[0]!) : Buffer.concat(records)],
      })),
    })),
  };
}
