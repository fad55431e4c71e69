// Makes `npm start` and `npm test` work on a fresh clone: installs from the lockfile when node_modules is missing or
// does not match it, and says so. Silent when nothing is to do.
// Runs before anything is installed, so it uses only what Node 20 has, and no dependency.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const readPackages = (path) => {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
  } catch {
    return undefined;
  }
};

/** Why an install is needed, or undefined when node_modules holds what the lockfile asks for. */
function reasonToInstall() {
  const locked = readPackages('package-lock.json');
  if (locked === undefined) throw new Error('package-lock.json is missing or damaged: restore it from git');
  const installed = readPackages('node_modules/.package-lock.json');
  if (installed === undefined) return 'node_modules is missing';
  for (const [path, { version, optional, link }] of Object.entries(locked)) {
    if (path === '' || link === true) continue;
    const found = installed[path];
    // Packages for other platforms are in the lockfile, but npm leaves them out here.
    if (found === undefined && optional === true) continue;
    if (found === undefined) return `${path} is missing`;
    if (found.version !== version) return `${path} is ${found.version}, the lockfile says ${version}`;
  }
  const node = process.platform === 'win32' ? 'node.exe' : 'node';
  if (!existsSync(join(root, 'node_modules/node/bin', node))) return 'the pinned Node.js is missing';
  return undefined;
}

function install(reason) {
  console.log(`Installing dependencies from package-lock.json (${reason}): npm ci`);
  const started_ms = Date.now();
  const npmArguments = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  // The Node that runs npm, not the pinned one: npm ci replaces that while it works.
  const command = npm === undefined ? 'npm' : (process.env.npm_node_execpath ?? process.execPath);
  const { status, error } = spawnSync(command, npm === undefined ? npmArguments : [npm, ...npmArguments], {
    cwd: root,
    stdio: 'inherit',
    shell: npm === undefined && process.platform === 'win32',
  });
  if (status !== 0) {
    const cause = error === undefined ? `npm ci ended with ${status}` : error.message;
    console.error(
      `Dependencies could not be installed: ${cause}. Check the network or npm's registry setting, then try again.`,
    );
    process.exit(1);
  }
  console.log(`Dependencies installed in ${Math.round((Date.now() - started_ms) / 1000)} s`);
}

const reason = reasonToInstall();
if (reason !== undefined) install(reason);
