// Owns how a spec gets a real browser, and what it holds every page to: no error in its console, no request to another host, nothing that
// its content security policy had to stop. Skips, with the reason in the name, where this machine has no browser.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { findBrowser } from '../../scripts/browser-road.mjs';
import { launchBrowser } from './browser-launch.ts';

export interface OpenedPage {
  readonly page: Page;
  /** What went wrong in it so far. */
  readonly faults: string[];
  /** Faults that are meant to happen, such as a refused request, are taken off. */
  forgive(pattern: RegExp): void;
}

export type OpenPage = (url: string, options?: BrowserContextOptions) => Promise<OpenedPage>;

/** Runs in the page. */
const TELL_VIOLATIONS = `document.addEventListener('securitypolicyviolation', (event) => {
  console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI);
});`;
const START_TIMEOUT_MS = 60_000;
/** Of what a spec waits for: machines that run tests are busy. */
const WAIT_MS = 30_000;

export function describeWithBrowser(name: string, body: (open: OpenPage) => void): void {
  const { path, missing } = findBrowser();
  if (path === undefined) {
    describe.skip(`${name} (skipped: ${missing})`, () => {
      body(() => Promise.reject(new Error('skipped')));
      it('has at least one test', () => undefined);
    });
    return;
  }
  describe(name, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchBrowser(path);
    }, START_TIMEOUT_MS);
    afterAll(() => browser.close());
    const opened: OpenedPage[] = [];
    afterEach(async () => {
      const pages = opened.splice(0);
      for (const { page } of pages) await page.context().close();
      expect(pages.flatMap(({ faults }) => faults)).toEqual([]);
    });
    body(async (url, options) => {
      const one = await openPage(browser, url, options);
      opened.push(one);
      return one;
    });
  });
}

async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const faults: string[] = [];
  const forgiven: RegExp[] = [];
  const note = (fault: string): void => {
    if (!forgiven.some((pattern) => pattern.test(fault))) faults.push(fault);
  };
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') note(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => note(`error: ${error.message}`));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) note(`request to ${request.url()}`);
  });
  await page.addInitScript({ content: TELL_VIOLATIONS });
  await page.goto(url);
  return {
    page,
    faults,
    forgive(pattern) {
      forgiven.push(pattern);
      faults.splice(0, faults.length, ...faults.filter((fault) => !pattern.test(fault)));
    },
  };
}
