#!/usr/bin/env node
// Owns the process of the command `millrace`: its streams, its signals, its exit code. What commands do is elsewhere.
import { processIo } from './io.ts';
import { runCli } from './run.ts';

// Whoever reads along may have seen enough: `millrace dump … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});
process.exitCode = await runCli(process.argv.slice(2), processIo());
