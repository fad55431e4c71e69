// Specifies what the control API shows and does on a real broker and RocksDB: the way of two instances through pause, restart and stop.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createControlServer } from '#libs/control';
import type { ControlServer } from '#libs/control';
import { StreamsApplication, silentLogger } from '#libs/millrace';
import type { ApplicationInsight, ResetPlan } from '#libs/millrace';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { sumsTopology } from '../support/sums-application.ts';
import { PARTITIONS, checkOutput, createTopics, produce } from '../support/sums-input.ts';

const TOKEN = 'canary-token-of-the-control-server';

describeWithBroker('the control API', (broker) => {
  let input: string;
  let output: string;
  let applicationId: string;
  let folder: string;
  const applications: StreamsApplication[] = [];
  const servers: ControlServer[] = [];

  beforeEach(async () => {
    [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('control')];
    folder = await mkdtemp(join(tmpdir(), 'millrace-control-'));
    await createTopics(broker(), input, output);
  });

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
    for (const application of applications.splice(0)) await application.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(
    instanceId: string,
  ): Promise<{ application: StreamsApplication; server: ControlServer }> {
    const application = new StreamsApplication({
      applicationId,
      instanceId,
      kafka: { brokers: [...broker().bootstrapServers], clientId: 'control-spec' },
      topology: sumsTopology(input, output),
      stateDir: folder,
      numStandbys: 1,
      logger: silentLogger,
    });
    applications.push(application);
    const server = await createControlServer({
      applications: [application],
      port: 0,
      token: TOKEN,
      allowActions: true,
    });
    servers.push(server);
    await application.start();
    return { application, server };
  }

  async function ask<T>(server: ControlServer, path: string, init: RequestInit = {}): Promise<T> {
    const headers = { authorization: `Bearer ${TOKEN}`, ...init.headers };
    const response = await fetch(`${server.url}/v1/applications/${applicationId}${path}`, {
      ...init,
      headers,
    });
    return { status: response.status, ...((await response.json()) as object) } as T;
  }

  const post = (server: ControlServer, path: string, body?: string): Promise<Answer> =>
    ask(server, path, {
      method: 'POST',
      ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
    });

  async function until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  const lagOf = async (server: ControlServer): Promise<number> => {
    const { records, unknown } = await ask<{ records: number; unknown: number }>(server, '/lag');
    return unknown > 0 ? Infinity : records;
  };

  it('shows where the tasks are, pauses one instance through a rebalance, restarts a task and stops the instance', async () => {
    const one = await start('one');
    await one.application.whenRunning();
    await produce(broker(), input, 0, 5_000);
    const two = await start('two');
    await two.application.whenRunning();
    const both = [one.server, two.server];
    const tasksOf = async (server: ControlServer): Promise<string[]> =>
      (await ask<{ active: string[] }>(server, '/assignments')).active;
    await until(async () => {
      const tasks = await Promise.all(both.map(tasksOf));
      return tasks.every((active) => active.length > 0) && tasks.flat().length === PARTITIONS;
    });
    await until(async () => (await lagOf(one.server)) + (await lagOf(two.server)) === 0);
    await until(async () => (await ask<ApplicationInsight>(two.server, '')).state === 'RUNNING');

    const insight = await ask<ApplicationInsight>(two.server, '');
    expect(insight).toMatchObject({
      applicationId,
      instanceId: 'two',
      state: 'RUNNING',
      paused: false,
      error: null,
    });
    const phases = insight.tasks.map(({ phase }) => phase);
    expect([...new Set(phases)].sort()).toEqual(['running', 'standby']);
    expect(phases).toHaveLength(PARTITIONS);
    expect(insight.epochs.every(({ outcome }) => outcome !== 'aborted')).toBe(true);
    await until(async () => {
      const { tasks } = await ask<ApplicationInsight>(two.server, '');
      return tasks.every(({ diskBytes }) => diskBytes !== null && diskBytes > 0);
    });

    const paused = two.server;
    expect(await post(paused, '/pause')).toMatchObject({ status: 200, paused: true });
    await produce(broker(), input, 5_000, 5_000);
    await until(async () => (await lagOf(one.server)) === 0);
    const [task] = await tasksOf(paused);
    expect(await post(paused, `/tasks/${task!}/restart`, '{"dirty":true}')).toMatchObject({
      status: 202,
      taskId: task,
    });
    await two.application.whenRunning();
    await until(async () => (await lagOf(paused)) > 0);
    expect((await ask<ApplicationInsight>(paused, '')).figures!.uncommitted).toBe(false);
    expect(await post(paused, '/resume')).toMatchObject({ status: 200, paused: false });
    await until(async () => (await lagOf(paused)) === 0);

    expect(await post(two.server, '/stop')).toMatchObject({ status: 202 });
    await two.application.whenEnded();
    expect(await ask(two.server, '')).toMatchObject({ state: 'NOT_RUNNING', tasks: [] });
    await until(async () => (await tasksOf(one.server)).length === PARTITIONS);
    await one.application.whenRunning();
    const before = one.application.figures!.processedRecords;
    await produce(broker(), input, 10_000, 1_000);
    // The lag goes by the ends that the last answers named: right after the production it may still be 0.
    await until(async () => one.application.figures!.processedRecords >= before + 1_000);
    await one.application.stop();
    await checkOutput(broker(), output, 11_000);
  });

  it('resets an application that has stopped, and none that runs anywhere', async () => {
    const one = await start('one');
    const two = await start('two');
    await produce(broker(), input, 0, 1_000);
    const processed = (): number =>
      [one, two].reduce((sum, { application }) => sum + (application.figures?.processedRecords ?? 0), 0);
    await until(async () => processed() >= 1_000);
    const execute = JSON.stringify({ execute: true });
    const planned = await ask<ResetAnswer>(one.server, '/reset', { method: 'POST' });
    expect(planned).toMatchObject({ status: 200, executed: false });
    expect(planned.plan.topics.map(({ name }) => name)).toEqual([`${applicationId}-sums-changelog`]);
    expect(planned.plan.group.members).toHaveLength(2);
    expect(await post(one.server, '/reset', execute)).toMatchObject({
      status: 409,
      error: { code: 'MILLRACE_ILLEGAL_STATE' },
    });
    await one.application.stop();
    expect(await post(one.server, '/reset', execute)).toMatchObject({
      status: 409,
      error: { code: expect.stringMatching(/^MILLRACE_(RESET_MEMBERS_LIVE|STATE_LOCKED)$/) },
    });
    await two.application.stop();
    await checkOutput(broker(), output, 1_000);
    expect(await post(one.server, '/reset', execute)).toMatchObject({ status: 200, executed: true });
    const { plan } = await ask<ResetAnswer>(one.server, '/reset', { method: 'POST' });
    expect(plan.offsets.map(({ from }) => from)).toEqual(Array(PARTITIONS).fill(0));
    expect(plan.topics).toEqual([]);
    const again = await start('one');
    await until(async () => (again.application.figures?.processedRecords ?? 0) >= 1_000);
    await again.application.stop();
  });

  it('refuses wrong tokens, bodies, names and states, and shows no secret', async () => {
    const { application, server } = await start('one');
    await application.whenRunning();
    const withToken = (authorization: string): Promise<Answer> =>
      ask(server, '', { headers: { authorization } });
    expect(await withToken('')).toMatchObject({
      status: 401,
      error: { code: 'MILLRACE_CONTROL_UNAUTHORIZED' },
    });
    expect(await withToken(`Bearer ${TOKEN}1`)).toMatchObject({ status: 401 });
    expect(await post(server, '/pause', JSON.stringify({ why: 'x'.repeat(100_000) }))).toMatchObject({
      status: 413,
      error: { code: 'MILLRACE_CONTROL_BAD_REQUEST' },
    });
    expect(await post(server, '/tasks/9_9/restart')).toMatchObject({
      status: 404,
      error: { code: 'MILLRACE_UNKNOWN_TASK' },
    });
    expect(application.state).toBe('RUNNING');
    const configuration = JSON.stringify(await ask(server, '/configuration'));
    expect(configuration).toContain(applicationId);
    expect(configuration).not.toContain(TOKEN);
    await application.stop();
    expect(await post(server, '/tasks/0_0/restart')).toMatchObject({
      status: 409,
      error: { code: 'MILLRACE_ILLEGAL_STATE' },
    });
  });
});

interface ResetAnswer {
  readonly plan: ResetPlan;
}

interface Answer {
  readonly status: number;
}
