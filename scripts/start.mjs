// `npm start [-- lesson] [-- arguments]`: builds what changed, then runs a lesson of apps/ on the pinned Node.js; without a name flight-delays.
// Owns nothing of the lessons: signals go to them, their exit code is ours.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const DEFAULT_LESSON = 'flight-delays';

/** Folders of apps/ with a process to start, by name, each with what the title of its README says of it. */
function lessons() {
  const found = new Map();
  for (const name of readdirSync(join(root, 'apps')).sort()) {
    if (!existsSync(join(root, 'apps', name, 'src/main.ts'))) continue;
    const readme = join(root, 'apps', name, 'README.md');
    const title = existsSync(readme) ? (/^# (.*)$/m.exec(readFileSync(readme, 'utf8'))?.[1] ?? '') : '';
    found.set(name, title);
  }
  return found;
}

const list = (found) => [...found].map(([name, title]) => `  ${name.padEnd(18)}${title}`).join('\n');

const known = lessons();
const [first, ...rest] = process.argv.slice(2);
const isNamed = first !== undefined && !first.startsWith('-');
if (first === '--list') {
  console.log(
    `Lessons, each run by npm start -- <name>, and explained in apps/<name>/README.md:\n${list(known)}`,
  );
  process.exit(0);
}
const lesson = isNamed ? first : DEFAULT_LESSON;
if (!known.has(lesson)) {
  console.error(`There is no lesson '${lesson}'. There are:\n${list(known)}`);
  process.exit(2);
}

await import('./build.mjs');
const service = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    '--disable-warning=TimeoutNegativeWarning',
    join(root, 'dist/apps', lesson, 'src/main.js'),
    ...(isNamed ? rest : process.argv.slice(2)),
  ],
  { stdio: 'inherit' },
);

// A terminal's Ctrl-C reaches the service by itself; it decides when to end, and we wait for it.
process.on('SIGINT', () => undefined);
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => service.kill(signal));

service.on('error', (error) => {
  console.error(`The lesson could not be started: ${error.message}`);
  process.exit(1);
});
service.on('exit', (code, signal) => {
  process.exit(code ?? (signal === 'SIGINT' ? 130 : 1));
});
