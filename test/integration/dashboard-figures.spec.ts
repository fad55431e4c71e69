// Specifies what the dashboard makes of figures that a spec chooses: restores half-way, aborted epochs, names that want to be markup, large
// topologies. In a real Chromium, with applications that are not there: it needs no broker, and skips itself without a browser.
import { afterEach, expect, it } from '@jest/globals';
import { systemClock } from '#libs/core';
import { createControlServer } from '#libs/control';
import type { ControlServer } from '#libs/control';
import type { ApplicationInsight, DescribedNode, DescribedTopology } from '#libs/millrace';
import { noInsight } from '#libs/runtime';
import type { RuntimeFigures, TaskFigures } from '#libs/runtime';
import { fakeApplication } from '../../libs/control/test/fake-application.ts';
import { describeWithBrowser } from '../support/browser.ts';

const VIEWS = ['overview', 'tasks', 'epochs', 'state', 'problems', 'configuration'];
/** Where markup is made of it, the page gets an image, and the console an error. */
const HOSTILE = '"><img src=x onerror="window.hurt=1"><script>window.hurt=1</script>{{7*7}}\'`';

const FIGURES: RuntimeFigures = {
  processedRecords: 0,
  droppedRecords: 0,
  failures: {
    retriedInPlace: 0,
    sentToRetryTopics: 0,
    takenFromRetryTopics: 0,
    deadLettered: 0,
    skipped: 0,
    waiting: [],
    delayed: [],
  },
  restoredRecords: 0,
  committedEpochs: 0,
  uncommitted: false,
  sinceTurnMs: 0,
  sinceCommitMs: null,
  runningTasks: [],
  openingTasks: [],
  restores: [],
  copies: [],
  workerReplacements: 0,
  lastWorkerFailure: null,
  paused: false,
};

function task(taskId: TaskFigures['taskId'], more: Partial<TaskFigures> = {}): TaskFigures {
  const [subTopology = 0, partition = 0] = taskId.split('_').map(Number);
  return {
    taskId,
    subTopology,
    partition,
    phase: 'running',
    records: 0,
    streamTime: null,
    eventTime: null,
    partitions: [],
    stores: [],
    cachedBytes: null,
    unwrittenBytes: null,
    diskBytes: null,
    restoreLag: null,
    ...more,
  };
}

function insight(more: Partial<ApplicationInsight> = {}): ApplicationInsight {
  return {
    ...noInsight(systemClock),
    startedAt: systemClock.now() - 60_000,
    applicationId: 'orders',
    instanceId: 'one',
    state: 'RUNNING',
    stateSince: 1,
    error: null,
    paused: false,
    figures: FIGURES,
    ...more,
  };
}

function node(name: string, kind: DescribedNode['kind'], more: Partial<DescribedNode> = {}): DescribedNode {
  return {
    name,
    kind,
    internal: false,
    topics: [],
    topic: null,
    stores: [],
    globalStores: [],
    children: [],
    ...more,
  };
}

function topologyWith(store: string, name = (plain: string): string => plain): DescribedTopology {
  return {
    globalStores: [{ name: name('rates'), topic: name('exchange-rates') }],
    subTopologies: [
      {
        id: 0,
        nodes: [
          node(name('read'), 'source', {
            topics: [name('orders')],
            children: [{ name: name('sum'), side: null }],
          }),
          node(name('sum'), 'processor', {
            stores: [store],
            globalStores: [name('rates')],
            children: [{ name: name('write'), side: name('side') }],
          }),
          node(name('write'), 'sink', { topic: name('sums') }),
        ],
        stores: [{ name: store, kind: 'keyValue', logged: true, persistence: 'default' }],
      },
    ],
  };
}

describeWithBrowser('the figures of the dashboard', (open) => {
  let server: ControlServer | null = null;

  afterEach(async () => {
    await server?.close();
    server = null;
  });

  async function serve(
    tell: () => ApplicationInsight,
    topology: DescribedTopology,
    more: Parameters<typeof fakeApplication>[1] = {},
  ): Promise<string> {
    const { applicationId } = tell();
    const application = fakeApplication(applicationId, {
      insight: tell,
      describeAsGraph: () => topology,
      ...more,
    });
    server = await createControlServer({ applications: [application], port: 0 });
    return server.url;
  }

  it('show how far restores are, wherever one looks', async () => {
    let position = 0;
    const tell = (): ApplicationInsight => {
      position = Math.min(900, position + 300);
      const common = { store: 'sums', startOffset: 0, endOffset: 1_000, records: position };
      return insight({
        state: 'REBALANCING',
        figures: {
          ...FIGURES,
          restores: [{ ...common, taskId: '0_0', role: 'active', position, recordsPerSecond: 50 }],
        },
        tasks: [task('0_0', { phase: 'restoring', restoreLag: 1_000 - position })],
      });
    };
    const url = await serve(tell, topologyWith('sums'));
    const { page } = await open(url);
    await page
      .locator('[data-box="sums"][data-kind="store"]')
      .getByText(/↻ \d+ to restore/)
      .waitFor();
    await page.locator('[data-tile="tasks"]', { hasText: '↻ 1 restoring' }).waitFor();
    await page.getByRole('link', { name: 'State' }).click();
    const bar = page.locator('[data-restore="0_0 sums"]').getByRole('progressbar');
    while ((await bar.getAttribute('aria-valuenow')) !== '90') await page.waitForTimeout(50);
    await page.locator('[data-restore]').getByText('100 offsets left, about 2.0 s').waitFor();
    await page.getByRole('link', { name: /^Tasks/ }).click();
    await page.locator('[data-key="0_0"]').getByRole('progressbar').waitFor();
  }, 120_000);

  it('mark an aborted epoch, with its reason', async () => {
    const tell = (): ApplicationInsight => {
      const now = systemClock.now();
      const common = {
        tasks: 1,
        recordsIn: 5,
        recordsOut: 5,
        changelogRecords: 5,
        bytesOut: 500,
        openMs: 100,
      };
      return insight({
        commits: { committed: 1, aborted: 1, totalMs: 20, longestMs: 20 },
        epochs: [1, 2].map((number) => ({
          ...common,
          number,
          outcome: number === 1 ? ('committed' as const) : ('aborted' as const),
          reason: number === 1 ? null : 'the broker had forgotten the producer',
          openedAt: now - 1_000 + number * 300,
          sealedAt: now - 800 + number * 300,
          endedAt: now - 700 + number * 300,
          produceMs: number === 1 ? 60 : null,
          commitMs: number === 1 ? 40 : null,
        })),
      });
    };
    const { page } = await open(`${await serve(tell, topologyWith('sums'))}/#/orders/epochs`);
    await page.locator('[data-outcome="aborted"] .epoch-cross').waitFor({ state: 'attached' });
    await page.getByRole('img', { name: /^2 epochs in the last .* s, 1 aborted$/ }).waitFor();
    await page.locator('tr.tone-bad', { hasText: 'the broker had forgotten the producer' }).waitFor();
    await page.locator('[data-tile="aborted"]', { hasText: '1' }).waitFor();
  }, 120_000);

  it('are text, whatever they say', async () => {
    const name = (plain: string): string => `${plain} ${HOSTILE}`;
    const code = name('MILLRACE_X');
    const taskId = '0_0' as TaskFigures['taskId'];
    const flow = { records: 5, bytes: 50 };
    const told = insight({
      instanceId: name('instance'),
      transactionalId: name('transactional'),
      state: 'ERROR',
      error: { code, message: name('failure') },
      figures: {
        ...FIGURES,
        lastWorkerFailure: { code, message: name('worker') },
        failures: { ...FIGURES.failures, waiting: [name('0_0')] },
        restores: [
          {
            taskId,
            store: name('store'),
            role: 'active',
            startOffset: 0,
            position: 1,
            endOffset: 2,
            records: 1,
            recordsPerSecond: 1,
          },
        ],
      },
      tasks: [
        task(taskId, {
          partitions: [
            {
              topic: name('orders'),
              partition: 0,
              source: name('read'),
              position: 1,
              committed: 1,
              endOffset: 9,
              lag: 8,
              lagMs: 7,
              bufferedBytes: 1,
              partitionTime: 1,
            },
          ],
          stores: [
            {
              name: name('store'),
              kind: 'keyValue',
              changelog: name('changelog'),
              changelogOffset: 1,
              resident: true,
            },
          ],
        }),
      ],
      instances: [{ applicationServer: name('host'), isLocal: false, active: [name('1_0')], standby: [] }],
      inputs: [{ ...flow, subTopology: 0, source: name('read'), topic: name('orders'), kind: 'stream' }],
      outputs: [
        { ...flow, topic: name('sums'), kind: 'topic', store: null },
        { ...flow, topic: name('dead'), kind: 'topic', store: null },
        { ...flow, topic: name('changelog'), kind: 'changelog', store: name('store') },
      ],
      // Twice within a millisecond, with another between.
      issues: ['sum', 'read', 'sum'].map((where) => ({
        at: 1,
        kind: 'deadLetter',
        code,
        where: `0_0 ${name(where)}`,
        message: name('message'),
        count: 1,
      })),
      drops: [{ code, kind: 'deadLetter', where: `0_0 ${name('sum')}`, records: 3 }],
      rebalances: {
        total: 1,
        lost: 1,
        last: [
          {
            at: 1,
            kind: 'lost',
            source: name('why'),
            active: [],
            revoked: [name('0_0')],
            added: [],
            standby: [],
            warmup: [],
          },
        ],
      },
    });
    const url = await serve(() => told, topologyWith(name('store'), name), {
      configuration: () => ({ [name('option')]: name('value'), list: [name('item')] }),
    });
    const { page, forgive } = await open(url);
    // Of the code that has no page.
    forgive(/status of 404/);
    await page.locator('[data-kind="processor"]').waitFor();
    const boxes = await page.locator('[data-box]').all();
    expect(boxes.length).toBe(7);
    for (const box of boxes) {
      await box.focus();
      await page.keyboard.press('Enter');
      await page.locator('aside.details', { hasText: '<img src=x' }).waitFor();
    }
    for (const view of VIEWS) {
      await page.locator(`nav a[href$="/${view}"]`).click();
      await page.locator(`nav a[href$="/${view}"][aria-current="page"]`).waitFor();
      await page.locator('main', { hasText: '<img src=x' }).waitFor();
      expect(await page.locator('img, main script, iframe').count()).toBe(0);
      if (view === 'problems') expect(await page.locator('[data-key^="1 deadLetter"]').count()).toBe(3);
    }
    await page.locator('[data-banner="error"] .code-link').click();
    await page.getByRole('dialog').getByText('There is no page about this code here.').waitFor();
    expect(await page.evaluate('window.hurt')).toBeUndefined();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(1_280);
  }, 120_000);

  it('draw a topology of hundreds of nodes', async () => {
    const chains = Array.from({ length: 12 }, (_, id) => ({
      id,
      stores: [],
      nodes: [
        node(`source-${id}`, 'source', {
          topics: [`input-${id}`],
          children: [{ name: `step-${id}-0`, side: null }],
        }),
        ...Array.from({ length: 20 }, (_step, step) =>
          node(`step-${id}-${step}`, 'processor', {
            children: [{ name: step === 19 ? `sink-${id}` : `step-${id}-${step + 1}`, side: null }],
          }),
        ),
        node(`sink-${id}`, 'sink', { topic: `input-${id + 1}` }),
      ],
    }));
    const { page } = await open(await serve(() => insight(), { subTopologies: chains, globalStores: [] }));
    await page.locator('[data-box="step-11-19"]').waitFor();
    expect(await page.locator('[data-box]').count()).toBe(12 * 22 + 13);
  }, 120_000);
});
