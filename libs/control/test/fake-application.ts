// Fixtures of the control server's specs: an application that records what is asked of it, and a server on a free port.
import { MillraceError, systemClock } from '#libs/core';
import { noInsight } from '#libs/runtime';
import type { ResetPlan, StreamsApplication } from '#libs/millrace';
import { createControlServer } from '../src/index.ts';
import type { ControlServer, ControlServerOptions, ControlledApplication } from '../src/index.ts';

export const TOKEN = 'a-token-of-sufficient-length';

export interface FakeApplication extends StreamsApplication {
  readonly calls: string[];
}

export function fakeApplication(
  applicationId = 'orders',
  more: Partial<ControlledApplication> = {},
): FakeApplication {
  const calls: string[] = [];
  const fake: ControlledApplication & { calls: string[] } = {
    calls,
    applicationId,
    instanceId: 'one',
    state: 'RUNNING',
    configuration: () => ({ applicationId }),
    describe: () => 'Topologies:\n',
    describeAsMermaid: () => 'flowchart TD\n',
    describeAsGraph: () => ({ subTopologies: [], globalStores: [] }),
    snapshot: () => ({ applicationId, instanceId: 'one', state: 'RUNNING', error: null, figures: null }),
    insight: () => ({
      ...noInsight(systemClock),
      applicationId,
      instanceId: 'one',
      state: 'RUNNING',
      stateSince: 1,
      error: null,
      paused: false,
    }),
    pause: async () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
    stop: async () => void calls.push('stop'),
    restartTask: async (task, options) => {
      if (task !== '0_0') throw new MillraceError({ code: 'MILLRACE_UNKNOWN_TASK', message: 'not here.' });
      calls.push(`restart ${task} ${options?.dirty === true ? 'dirty' : 'clean'}`);
    },
    planReset: async (options) => {
      calls.push(`plan reset ${JSON.stringify(options)}`);
      return resetPlanOf(applicationId);
    },
    reset: async (options) => {
      calls.push(`reset ${JSON.stringify(options)}`);
      return {
        plan: resetPlanOf(applicationId),
        removedMembers: 1,
        endedTransactions: [],
        deletedTopics: [],
        deletedTasks: 0,
      };
    },
    ...more,
  };
  return fake as unknown as FakeApplication;
}

function resetPlanOf(applicationId: string): ResetPlan {
  const name = `${applicationId}-s-changelog`;
  return {
    applicationId,
    group: { type: 'classic', state: 'Empty', members: [] },
    unfinished: false,
    offsets: [{ topic: 'in', partition: 0, from: 5, to: 0, clamped: false }],
    missingTopics: [],
    topics: [{ name, kind: 'changelog', because: 'offsets' }],
    leftTopics: [],
    state: [{ directory: '/state/one', tasks: ['0_0'], bytes: 1, inUse: false }],
    transactions: [{ transactionalId: `${applicationId}-one-0`, phase: 'ended' }],
    deadLetters: [],
  };
}

/** JSON of whatever shape: specs look at what they name. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- specs read answers as they come
export type Answer = any;

export interface TestServer extends AsyncDisposable {
  readonly server: ControlServer;
  request(path: string, init?: RequestInit): Promise<{ status: number; headers: Headers; body: Answer }>;
}

/** With a token, and all requests carry it unless they say otherwise. */
export async function startServer(options: Partial<ControlServerOptions> = {}): Promise<TestServer> {
  const server = await createControlServer({
    applications: [fakeApplication()],
    port: 0,
    token: TOKEN,
    ...options,
  });
  return {
    server,
    async request(path, init = {}) {
      const headers = new Headers({ authorization: `Bearer ${TOKEN}` });
      new Headers(init.headers).forEach((value, name) => headers.set(name, value));
      const response = await fetch(server.url + path, { ...init, headers });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text === '' ? null : JSON.parse(text),
      };
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

export function json(body: unknown): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
