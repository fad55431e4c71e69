// `npm start [-- arguments]`: builds what changed, then runs the flight-delays service on the pinned Node.js.
// Owns nothing of the service: signals go to it, its exit code is ours.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import './build.mjs';

const main = join(import.meta.dirname, '../dist/apps/flight-delays/src/main.js');
if (!existsSync(main)) {
  console.error('apps/flight-delays/src/main.ts is not there, so there is no service to start.');
  process.exit(1);
}

const service = spawn(
  process.execPath,
  ['--enable-source-maps', '--disable-warning=TimeoutNegativeWarning', main, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
);

// A terminal's Ctrl-C reaches the service by itself; it decides when to end, and we wait for it.
process.on('SIGINT', () => undefined);
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => service.kill(signal));

service.on('error', (error) => {
  console.error(`The service could not be started: ${error.message}`);
  process.exit(1);
});
service.on('exit', (code, signal) => {
  process.exit(code ?? (signal === 'SIGINT' ? 130 : 1));
});
