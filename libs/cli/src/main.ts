#!/usr/bin/env node
// Owns the process of the command `millrace`: its streams, its exit code, and the Node it needs. What commands do is elsewhere.

const NODE_MAJOR_MIN = 24;
const INTERRUPTED = 130;

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  // Before anything is imported: an older Node would stop at the first name that it does not know.
  process.stderr.write(`millrace needs Node.js ${NODE_MAJOR_MIN} or newer; this is ${process.version}.\n`);
  process.exitCode = 1;
} else {
  // Whoever reads along may have seen enough: `millrace dump … | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  const [{ runCli }, { processIo }] = await Promise.all([import('./run.ts'), import('./io.ts')]);
  const exitCode = await runCli(process.argv.slice(2), processIo());
  process.exitCode = exitCode;
  // What was only asked need not be waited for.
  if (exitCode === INTERRUPTED) process.exit();
}

export {};
