// Specifies the dashboard in a real Chromium, of applications on a simulated cluster: it needs no broker, and skips itself without a browser.
import { afterEach, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import type { ControlServer, ControlServerOptions } from '#libs/control';
import { silentLogger } from '#libs/millrace';
import type { StreamsApplicationOptions, StreamsApplication } from '#libs/millrace';
import { describeWithBrowser } from '../support/browser.ts';
import type { OpenedPage } from '../support/browser.ts';
import { PARTITIONS, Shop, serve } from '../support/dashboard-shop.ts';

const TOKEN = 'canary-token-of-the-dashboard';
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const VIEWS = ['overview', 'tasks', 'epochs', 'state', 'problems', 'configuration'];

describeWithBrowser('the dashboard', (open) => {
  const applications: StreamsApplication[] = [];
  const servers: ControlServer[] = [];
  const stops: (() => void)[] = [];

  afterEach(async () => {
    for (const stop of stops.splice(0)) stop();
    for (const server of servers.splice(0)) await server.close();
    for (const application of applications.splice(0)) await application.stop();
  });

  async function start(
    shop: Shop,
    options: Partial<ControlServerOptions> = {},
    applicationOptions: Partial<StreamsApplicationOptions> = {},
  ): Promise<{ application: StreamsApplication; server: ControlServer }> {
    const application = shop.application(applicationOptions);
    applications.push(application);
    const server = await serve([application], { allowActions: true, ...options });
    servers.push(server);
    await application.start();
    await application.whenRunning();
    return { application, server };
  }

  function keepPublishing(shop: Shop): void {
    const timer = setInterval(() => shop.publish(20), 20);
    stops.push(() => clearInterval(timer));
  }

  const tile = (page: Page, name: string): Promise<string> =>
    page.locator(`[data-tile="${name}"] strong`).innerText();

  it('draws the topology, moves its rates as records flow, and shows lag, epochs and charts', async () => {
    const shop = new Shop();
    const { server } = await start(shop);
    const opened = await open(server.url);
    const { page } = opened;

    await page.locator('[data-box="orders"]').waitFor();
    const boxes = async (kind: string): Promise<(string | null)[]> => {
      const all = await page.locator(`[data-kind="${kind}"]`).all();
      return (await Promise.all(all.map((box) => box.getAttribute('data-box')))).sort();
    };
    expect(await boxes('topic')).toEqual([
      'customers',
      'large-orders',
      'orders',
      'orders-per-product',
      'revenue',
    ]);
    expect(await boxes('repartition')).toEqual([
      'shop-by-product-repartition',
      'shop-orders-by-customer-repartition',
    ]);
    expect(await boxes('store')).toEqual(['customers-by-id', 'orders-per-minute', 'revenue-by-customer']);
    expect(await boxes('sink')).toEqual([
      'by-product-repartition-sink',
      'orders-by-customer-repartition-sink',
      'write-counts',
      'write-large',
      'write-revenue',
    ]);
    expect(await boxes('processor')).toEqual(
      expect.arrayContaining(['with-amount', 'with-customer', 'only-large']),
    );
    expect(await page.locator('[data-group]').count()).toBe(3);

    const rateOf = (edge: string): Promise<string | null> =>
      page.locator(`[data-edge-label="${edge}"] .rate`).textContent();
    const read = 'read topic orders → node 1 read-orders';
    expect(await rateOf(read)).toMatch(/^(0\/s|–)$/);
    keepPublishing(shop);
    await until(async () => parseFloat(((await rateOf(read)) ?? '').replace(',', '')) > 100);
    await until(async () => (await tile(page, 'in')) !== '0/s');
    await until(async () => / m?s$/.test(await tile(page, 'latency')));
    expect(await page.locator('[data-chart] canvas').count()).toBe(4);
    const legend = page.locator('[data-chart="chart-throughput"] .legend');
    await until(async () => /in [1-9]/.test((await legend.textContent()) ?? ''));

    await page.getByRole('link', { name: 'Epochs' }).click();
    await page.locator('[data-outcome="committed"] rect').first().waitFor();
    const committed = async (): Promise<number> =>
      Number((await tile(page, 'committed')).replaceAll(',', ''));
    const before = await committed();
    expect(before).toBeGreaterThan(0);
    await until(async () => (await committed()) > before);

    await page.getByRole('link', { name: 'Overview' }).click();
    // More than is processed between two snapshots.
    shop.publish(150_000);
    await page.locator('[data-edge-label] .late').first().waitFor();
    await until(async () => !['0', '–'].includes(await tile(page, 'lag')));
  }, 120_000);

  it('tells of a node what is known of it, by mouse and by keyboard', async () => {
    const shop = new Shop();
    const { server } = await start(shop);
    shop.publish(500);
    const opened = await open(server.url);
    const { page } = opened;
    await page.locator('[data-box="orders"]').click();
    const details = page.locator('aside.details');
    await details.getByText('Partitions here').waitFor();
    expect(await details.locator('tbody tr').count()).toBe(PARTITIONS);
    await page.locator('[data-box="revenue-by-customer"]').focus();
    await page.keyboard.press('Enter');
    await details.getByText('shop-revenue-by-customer-changelog').waitFor();
    await page.keyboard.press('Tab');
    await details.getByRole('button', { name: 'Close details' }).click();
    await details.getByText('Flows').waitFor();
    await page.getByRole('button', { name: /^Sub-topology 0/ }).click();
    await details.getByText('Tasks here').waitFor();
    expect(await details.locator('tbody tr').count()).toBe(PARTITIONS);
    for (const name of ['Zoom in', 'Zoom out', 'Show all', 'Turn']) {
      await page.getByRole('button', { name, exact: true }).click();
    }
    await page.locator('[data-box="orders"]').waitFor();
  }, 120_000);

  it('shows a dead letter where it happened, and what its code means', async () => {
    const shop = new Shop();
    const { server } = await start(shop);
    const opened = await open(server.url);
    const { page } = opened;
    await page.locator('[data-box="orders"]').waitFor();
    expect(await tile(page, 'problems')).toBe('0');
    shop.publishBad();
    await page.locator('[data-box="read-orders"] .left-out').waitFor();
    await page.getByRole('button', { name: 'orders-dead' }).waitFor();
    await page.getByRole('link', { name: /^Problems/ }).click();
    await page.getByRole('region', { name: 'Last problems' }).getByText('dead letter').waitFor();
    await page.getByRole('button', { name: 'MILLRACE_DESERIALIZATION_FAILED' }).first().click();
    await page.getByRole('dialog').getByText('What to do.').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  }, 120_000);

  it('pauses, resumes, restarts a task and stops, after asking', async () => {
    const shop = new Shop();
    const { server, application } = await start(shop);
    const opened = await open(server.url);
    const { page } = opened;
    const confirm = async (name: string): Promise<void> => {
      await page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
    };
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    expect(application.isPaused).toBe(false);
    await page.getByRole('button', { name: 'Pause' }).click();
    await confirm('Pause');
    await page.locator('.badge', { hasText: 'PAUSED' }).waitFor();
    expect(application.isPaused).toBe(true);
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.locator('.badge', { hasText: 'RUNNING' }).waitFor();
    expect(application.isPaused).toBe(false);

    await page.getByRole('link', { name: /^Tasks/ }).click();
    await page.getByRole('button', { name: 'Restart task 0_1' }).click();
    await page.getByLabel('Drop what is not committed').check();
    await confirm('Restart');
    await page.getByText('Task 0_1 restarts.').waitFor();

    await page.getByRole('button', { name: 'Stop' }).click();
    await confirm('Stop');
    await application.whenEnded();
    await page.locator('.badge', { hasText: 'NOT_RUNNING' }).waitFor();
    await page.getByText('This instance has no tasks now.').waitFor();
  }, 120_000);

  it('shows actions as not possible, with the reason, where the server takes none', async () => {
    const { server, application } = await start(new Shop(), { allowActions: false });
    const opened = await open(server.url);
    const { page } = opened;
    const pause = page.getByRole('button', { name: 'Pause' });
    await pause.waitFor();
    expect(await pause.getAttribute('aria-disabled')).toBe('true');
    expect(await pause.getAttribute('title')).toContain('allowActions');
    await pause.click({ force: true });
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(application.isPaused).toBe(false);
  }, 120_000);

  it('asks for the token, refuses a wrong one, and keeps the right one for the tab alone', async () => {
    const { server } = await start(new Shop(), { token: TOKEN });
    const opened = await open(server.url);
    const { page, forgive } = opened;
    forgive(/status of 401/);
    const field = page.getByLabel('Token', { exact: true });
    await field.fill('no token: ümläut');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('alert').getByText('plain characters').waitFor();
    await field.fill('not-the-token-of-this-server');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('alert').getByText('does not know this token').waitFor();
    expect(await page.locator('[data-box]').count()).toBe(0);
    await field.fill(TOKEN);
    await field.press('Enter');
    await page.locator('[data-box="orders"]').waitFor();
    await page.reload();
    await page.locator('[data-box="orders"]').waitFor();
    expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain(TOKEN);
    expect(page.url()).not.toContain(TOKEN);
    await page.getByRole('button', { name: 'Log out' }).click();
    await field.waitFor();
    expect(await page.evaluate('JSON.stringify(sessionStorage)')).not.toContain(TOKEN);
  }, 120_000);

  it('takes the token out of the address', async () => {
    const { server } = await start(new Shop(), { token: TOKEN });
    const opened = await open(`${server.url}/#token=${TOKEN}`);
    await opened.page.locator('[data-box="orders"]').waitFor();
    expect(opened.page.url()).not.toContain(TOKEN);
  }, 120_000);

  it('says when the server is gone, and goes on when it is back', async () => {
    const shop = new Shop();
    const { server, application } = await start(shop);
    const opened = await open(server.url);
    const { page, forgive } = opened;
    forgive(/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/);
    await page.locator('[data-box="orders"]').waitFor();
    const { port } = server;
    await server.close();
    await page.locator('[data-banner="lost"]').waitFor();
    expect(await page.locator('[data-box="orders"]').count()).toBe(1);
    const pause = page.getByRole('button', { name: 'Pause' });
    expect(await pause.getAttribute('title')).toContain('no connection');
    servers.push(await serve([application], { port, allowActions: true }));
    await page.locator('[data-banner="lost"]').waitFor({ state: 'detached' });
    shop.publish(1_000);
    await until(async () => (await tile(page, 'in')) !== '0/s');
  }, 120_000);

  it('shows a restore that has ended, standby copies, and the other instance', async () => {
    const shop = new Shop();
    const first = await start(shop, {}, { numStandbys: 1, applicationServer: '127.0.0.1:9001' });
    shop.publish(5_000);
    const second = await start(
      shop,
      {},
      { instanceId: 'shop-2', numStandbys: 1, applicationServer: '127.0.0.1:9002' },
    );
    const opened = await open(`${second.server.url}/#/shop/tasks`);
    const { page } = opened;
    await page.locator('.instance', { hasText: '127.0.0.1:9001' }).waitFor();
    await page.locator('.chip-copy').first().waitFor();
    await first.application.stop();
    await page.getByText(`${3 * PARTITIONS} active, 0 copies`).waitFor();
    await page.getByRole('link', { name: 'State' }).click();
    await page.getByText(/restores? ended/).click();
    await page.locator('[data-restored]').first().waitFor();
  }, 120_000);

  it('shows the error of an application that fails, and leads to its page', async () => {
    const shop = new Shop();
    const application = shop.application({
      applicationId: 'broken',
      topology: () => {
        throw new Error('No such thing as <b>a topology</b>');
      },
    });
    applications.push(application);
    const healthy = shop.application();
    applications.push(healthy);
    servers.push(await serve([healthy, application]));
    await healthy.start();
    await application.start().catch(() => undefined);
    const opened = await open(`${servers[0]!.url}/#/broken/overview`);
    const { page, forgive } = opened;
    forgive(/status of 500/);
    await page.locator('[data-banner="error"]').getByText('<b>a topology</b>').waitFor();
    await page.locator('.badge', { hasText: 'ERROR' }).waitFor();
    await page.locator('[data-banner="error"] .code-link').click();
    await page.getByRole('dialog').getByText('What to do.').waitFor();
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    await page.getByLabel('Application').selectOption('shop');
    await page.locator('[data-box="orders"]').waitFor();
    expect(await page.locator('[data-banner="error"]').count()).toBe(0);
  }, 120_000);

  it('shows an application that has not started yet', async () => {
    const application = new Shop().application({ logger: silentLogger });
    applications.push(application);
    servers.push(await serve([application]));
    const opened = await open(servers[0]!.url);
    const { page } = opened;
    await page.locator('.badge', { hasText: 'CREATED' }).waitFor();
    await page.locator('[data-box="orders"]').waitFor();
    for (const view of VIEWS) await visit(opened, view);
  }, 120_000);

  it('follows the system into the dark, and a choice before it', async () => {
    const { server } = await start(new Shop());
    const opened = await open(server.url, { colorScheme: 'dark' });
    const { page } = opened;
    const ground = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    await page.locator('[data-box="orders"]').waitFor();
    const dark = await ground();
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await ground();
    expect(brightness(dark)).toBeLessThan(40);
    expect(brightness(light)).toBeGreaterThan(220);
    const theme = page.getByRole('button', { name: /^Theme/ });
    await theme.click();
    await theme.click();
    await until(async () => (await ground()) === dark);
    await page.reload();
    await page.locator('[data-box="orders"]').waitFor();
    expect(await ground()).toBe(dark);
  }, 120_000);

  it('fits a phone: no view is wider than the screen, and fingers can hit every button', async () => {
    const shop = new Shop();
    const { server } = await start(shop);
    shop.publish(200);
    shop.publishBad();
    const opened = await open(server.url, PHONE);
    const { page } = opened;
    await page.locator('[data-box="orders"]').waitFor();
    for (const view of VIEWS) {
      await visit(opened, view);
      const widths = await page.evaluate('[document.documentElement.scrollWidth, innerWidth]');
      expect([view, widths]).toEqual([view, [390, 390]]);
      const low = await page.evaluate(
        `[...document.querySelectorAll('button, select, nav a')]
          .map((element) => [element.textContent, element.getBoundingClientRect().height])
          .filter(([, height]) => height > 0 && height < 43.5)`,
      );
      expect([view, low]).toEqual([view, []]);
    }
  }, 120_000);

  async function visit({ page }: OpenedPage, view: string): Promise<void> {
    await page.locator(`nav a[href$="/${view}"]`).click();
    await page.locator(`nav a[href$="/${view}"][aria-current="page"]`).waitFor();
    await page.locator('main .card').first().waitFor();
  }
});

/** The test's own limit ends it. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Of `rgb(…)`, from 0 to 255. */
function brightness(colour: string): number {
  const parts = colour.match(/\d+/g)!.slice(0, 3).map(Number);
  return parts.reduce((sum, part) => sum + part, 0) / 3;
}
