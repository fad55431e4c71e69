// Takes the pictures of docs/operations/dashboard.md: a shop on a simulated cluster under a load that comes in waves, with a burst, dead letters and
// a second instance, looked at for about a minute.
//
//   npm run node -- test/support/dashboard-screenshots.ts [folder]        default docs/operations/images
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { ensureBrowser } from '../../scripts/browser-road.mjs';
import { launchBrowser } from './browser-launch.ts';
import { Shop, serve } from './dashboard-shop.ts';

const folder = process.argv[2] ?? join(import.meta.dirname, '../../docs/operations/images');
const SECONDS = 70;
const OVERVIEW_HEIGHT = 1_312;
const WIDE = { viewport: { width: 1200, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const { path, missing } = ensureBrowser();
if (path === undefined) throw new Error(missing);
await mkdir(folder, { recursive: true });
const browser = await launchBrowser(path);
const shop = new Shop();
const options = {
  numStandbys: 1,
  state: 'rocksdb',
  stateDir: await mkdtemp(join(tmpdir(), 'millrace-shop-')),
} as const;
const first = shop.application({ ...options, applicationServer: 'shop-1.internal:8075' });
const second = shop.application({
  ...options,
  instanceId: 'shop-2',
  applicationServer: 'shop-2.internal:8075',
});
const server = await serve([first], { allowActions: true });
await first.start();
await first.whenRunning();

let tick = 0;
const load = setInterval(() => {
  tick++;
  shop.publish(Math.round(60 + 40 * Math.sin(tick / 60) + 15 * Math.sin(tick / 7)));
  if (tick % 110 === 0) shop.publishBad();
}, 50);
await wait(SECONDS * 300);
await second.start();
await wait(SECONDS * 400);
shop.publish(150_000);
await wait(SECONDS * 300);

async function shoot(
  name: string,
  view: string,
  context: BrowserContextOptions,
  prepare: (page: Page) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const page = await browser.newPage(context);
  await page.goto(`${server.url}/#/shop/${view}`);
  await page.locator('main .card').first().waitFor();
  if (view === 'overview') await page.locator('[data-box="orders"]').waitFor();
  await prepare(page);
  await wait(3_000);
  // The overview goes on below; down to the first charts it says what it has to.
  const isOverview = view === 'overview' && context.isMobile !== true;
  await page.screenshot({
    path: join(folder, `dashboard-${name}.png`),
    ...(isOverview ? { fullPage: true, clip: { x: 0, y: 0, width: 1_200, height: OVERVIEW_HEIGHT } } : {}),
  });
  await page.close();
}

await shoot('overview', 'overview', WIDE);
await shoot('overview-dark', 'overview', { ...WIDE, colorScheme: 'dark' }, async (page) => {
  await page.locator('[data-box="revenue-by-customer"]').click();
});
await shoot('tasks', 'tasks', { viewport: { width: 1200, height: 700 } });
await shoot('epochs', 'epochs', { viewport: { width: 1200, height: 700 }, colorScheme: 'dark' });
await shoot('phone', 'overview', PHONE);
await shoot('phone-topology', 'overview', PHONE, async (page) => {
  await page.evaluate("document.getElementById('topology').scrollIntoView()");
});
await shoot('phone-problems', 'problems', { ...PHONE, colorScheme: 'dark' });

clearInterval(load);
await browser.close();
await server.close();
for (const application of [first, second]) await application.stop();
await rm(options.stateDir, { recursive: true, force: true });
