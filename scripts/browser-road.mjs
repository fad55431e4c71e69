// Which way this machine has to a Chromium for the specs of the dashboard, in the order the project uses them: CHROMIUM_PATH, a Chromium,
// Chrome or Edge that is installed, and Debian's package where this is root and apt-get is there. `findBrowser` only looks;
// `ensureBrowser` installs, and says so.
//
//   node scripts/browser-road.mjs    finds or installs one, and prints its path

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'microsoft-edge',
  'microsoft-edge-stable',
];
const APPLICATIONS = {
  darwin: [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ],
  win32: [
    'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
    'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
    'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
  ],
};
const MISSING =
  'no browser: set CHROMIUM_PATH, install Chromium or Chrome, or run as root where apt-get can install it';

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const inPath = (name) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable);

/** `{ path }` of an executable, or `{ missing }`, a sentence with the remedy. */
export function findBrowser() {
  const given = process.env.CHROMIUM_PATH ?? '';
  if (given !== '') {
    return isExecutable(given)
      ? { path: given }
      : { missing: `no browser: CHROMIUM_PATH is ${given}, which cannot be run` };
  }
  const path =
    NAMES.map(inPath).find((found) => found !== undefined) ??
    (APPLICATIONS[process.platform] ?? []).find(isExecutable);
  return path === undefined ? { missing: MISSING } : { path };
}

/** As `findBrowser`; installs Debian's package where that is all that is missing. `say` is told before. */
export function ensureBrowser(say = console.log) {
  const found = findBrowser();
  const isGiven = (process.env.CHROMIUM_PATH ?? '') !== '';
  const aptGet = inPath('apt-get');
  if (found.path !== undefined || isGiven || process.getuid?.() !== 0 || aptGet === undefined) return found;
  say('       no browser for tests: installing chromium with apt-get ...');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = (...commandArguments) =>
    spawnSync(aptGet, ['-q', ...commandArguments], { env, encoding: 'utf8', timeout: 600_000 });
  run('update');
  const { status, stderr, error } = run('install', '-y', '--no-install-recommends', 'chromium');
  if (status === 0) return findBrowser();
  const why = error?.message ?? stderr?.trim().split('\n').at(-1) ?? 'it failed';
  return { missing: `no browser: apt-get could not install chromium (${why})` };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { path, missing } = ensureBrowser(console.error);
  console.log(path ?? missing);
  if (path === undefined) process.exitCode = 1;
}
