// The audit of what is installed. Of the lockfile: every package is pinned by a sha512 hash and an exact version, none comes from anywhere but
// a registry, and none runs a script at install unless package.json says so (`allowScripts`). Of the installed packages: their licences are
// among those accepted here. Then known vulnerabilities of what users install, where the registry tells them: high and critical ones fail;
// a registry that has no such service, or cannot be reached, is said to be so and fails nothing.
//
//   node scripts/audit.mjs              all
//   node scripts/audit.mjs --offline    nothing is asked of a registry

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Licences that ask for no more than to be named, as SPDX calls them. */
const LICENCES = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
]);

/** Packages whose licence is another, or not where it should be; each with the reason why it is accepted. */
const LICENCE_EXCEPTIONS = {
  '@kafkajs/confluent-schema-registry': 'its LICENSE is the MIT one; its package.json does not say so',
  'caniuse-lite': 'CC-BY-4.0: data that is used in development alone',
  elkjs: 'EPL-2.0: used as it is, in a file of its own, which that licence allows beside any other',
};

const AUDIT_TIMEOUT_MS = 60_000;

const isExact = (version) => /^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/.test(version);
const nameOf = (path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** What is wrong with a lockfile, and with the package.json beside it. */
export function lockfileFaults(lock, manifest) {
  const faults = [];
  if (lock.lockfileVersion !== 3)
    faults.push(`package-lock.json: lockfileVersion is ${lock.lockfileVersion}, not 3`);
  for (const group of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const [name, version] of Object.entries(manifest[group] ?? {})) {
      if (!isExact(version))
        faults.push(`package.json: ${group}.${name} is "${version}", not an exact version`);
    }
  }
  for (const [name, version] of Object.entries(manifest.overrides ?? {})) {
    if (typeof version !== 'string' || !isExact(version))
      faults.push(`package.json: overrides.${name} is not an exact version`);
  }
  const allowScripts = manifest.allowScripts ?? {};
  const locked = new Set();
  for (const [path, entry] of Object.entries(lock.packages ?? {})) {
    if (path === '') continue;
    const name = entry.name ?? nameOf(path);
    locked.add(name);
    if (entry.link === true) faults.push(`${path}: is a link, not a package of a registry`);
    if (entry.resolved !== undefined && !/^https:\/\/[^/]+\/.+\.tgz$/.test(entry.resolved))
      faults.push(`${path}: comes from "${protocolOf(entry.resolved)}", not from a registry by https`);
    if (typeof entry.version !== 'string' || !isExact(entry.version))
      faults.push(`${path}: its version "${entry.version}" is not exact`);
    const hashes = String(entry.integrity ?? '').split(' ');
    if (!hashes.every((hash) => /^sha512-[A-Za-z0-9+/]{86}==$/.test(hash)))
      faults.push(`${path}: its integrity is not a sha512 hash`);
    if (entry.hasInstallScript === true && !Object.hasOwn(allowScripts, name))
      faults.push(
        `${path}: has an install script, and package.json does not say in allowScripts whether it may run`,
      );
    for (const [dependency, range] of Object.entries(entry.dependencies ?? {})) {
      if (isForeign(range)) faults.push(`${path}: depends on ${dependency} by "${protocolOf(range)}"`);
    }
  }
  for (const group of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']) {
    for (const [name, range] of Object.entries(manifest[group] ?? {})) {
      if (isForeign(range)) faults.push(`package.json: ${group}.${name} is "${protocolOf(range)}"`);
    }
  }
  for (const name of Object.keys(allowScripts))
    if (!locked.has(name))
      faults.push(`package.json: allowScripts names ${name}, which is not in the lockfile`);
  return faults;
}

/** Anything but a range of versions or another name in the registry: git, http, a file. */
const isForeign = (range) => /^(?!npm:)[a-z+.-]*:|^[\w.-]+\/[\w.-]+/i.test(range);
/** Of where a package comes from, no more: an address may hold a token. */
const protocolOf = (text) => `${/^[a-z+.-]*:/i.exec(text)?.[0] ?? text.slice(0, 20)}…`;

/** Does an SPDX expression leave a choice that is accepted? */
export function isAccepted(licence) {
  const choices = licence.replaceAll(/[()]/g, '').split(/\s+OR\s+/);
  return choices.some((choice) => choice.split(/\s+AND\s+/).every((part) => LICENCES.has(part.trim())));
}

/** What package.json of a package says of its licence; older ones have a list of objects. */
export function licenceOf({ license, licenses }) {
  const given = license ?? licenses;
  const texts = (Array.isArray(given) ? given : [given]).map((each) =>
    typeof each === 'object' && each !== null ? each.type : each,
  );
  return texts.every((text) => typeof text === 'string' && text !== '') ? texts.join(' OR ') : null;
}

/** `read` gives the parsed package.json at a path of the lockfile; null: it is not installed, as those for other platforms are not. */
export function licenceFaults(lock, read) {
  const faults = [];
  const excepted = new Set();
  for (const path of Object.keys(lock.packages ?? {})) {
    if (path === '') continue;
    const manifest = read(path);
    if (manifest === null) continue;
    const name = nameOf(path);
    if (Object.hasOwn(LICENCE_EXCEPTIONS, name)) {
      excepted.add(name);
      continue;
    }
    const licence = licenceOf(manifest);
    if (licence === null) faults.push(`${path}: does not say its licence`);
    else if (!isAccepted(licence))
      faults.push(`${path}: its licence "${licence}" is not among those accepted`);
  }
  for (const name of Object.keys(LICENCE_EXCEPTIONS))
    if (!excepted.has(name)) faults.push(`scripts/audit.mjs: the exception for ${name} is not needed`);
  return faults;
}

/** What `npm audit --json` printed: vulnerabilities by severity, or why there is no answer. */
export function readAudit(output) {
  let answer;
  try {
    answer = JSON.parse(output);
  } catch {
    return { unavailable: 'no answer' };
  }
  const counts = answer.metadata?.vulnerabilities;
  if (counts === undefined) {
    const status = answer.statusCode ?? answer.error?.code;
    return { unavailable: status === undefined ? 'no answer' : String(status) };
  }
  const grave = Object.entries(answer.vulnerabilities ?? {}).filter(
    ([, { severity }]) => severity === 'high' || severity === 'critical',
  );
  return {
    counts,
    faults: grave.map(([name, { severity, range }]) => `${name} ${range}: has a ${severity} vulnerability`),
  };
}

function askRegistry(root) {
  return new Promise((resolve) => {
    const cli = process.env.npm_execpath;
    const [command, first] = cli?.endsWith('.js') === true ? [process.execPath, [cli]] : ['npm', []];
    const child = spawn(command, [...first, 'audit', '--omit=dev', '--json'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
      shell: process.platform === 'win32' && first.length === 0,
      timeout: AUDIT_TIMEOUT_MS,
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.on('error', () => resolve({ unavailable: 'npm cannot be started' }));
    child.on('close', () => resolve(readAudit(output)));
  });
}

async function main() {
  const root = join(import.meta.dirname, '..');
  const json = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));
  const lock = json('package-lock.json');
  const manifest = json('package.json');
  const faults = lockfileFaults(lock, manifest);
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  const withAddress = packages.filter(([, { resolved }]) => resolved !== undefined).length;
  console.log(
    `lockfile: ${packages.length} packages; ${
      withAddress === 0
        ? 'it names no addresses, so all come from the registry that npm is set up with'
        : `${withAddress} name an address`
    }`,
  );
  let installed = 0;
  faults.push(
    ...licenceFaults(lock, (path) => {
      if (!existsSync(join(root, path, 'package.json'))) return null;
      installed++;
      return json(`${path}/package.json`);
    }),
  );
  console.log(`licences: ${installed} installed packages`);
  if (process.argv.includes('--offline')) {
    console.log('vulnerabilities: not asked (--offline)');
  } else {
    const { unavailable, counts, faults: found = [] } = await askRegistry(root);
    faults.push(...found);
    console.log(
      `vulnerabilities: ${
        unavailable === undefined
          ? Object.entries(counts)
              .map(([severity, count]) => `${count} ${severity}`)
              .join(', ')
          : `not available: ${unavailable}`
      }`,
    );
  }
  for (const fault of faults) console.error(`  - ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
