// Owns how a browser is started: headless, and without its sandbox where Chromium refuses it.
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

export function launchBrowser(executablePath: string): Promise<Browser> {
  // Chromium refuses its sandbox to root, as whom containers run.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args });
}
