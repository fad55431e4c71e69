// Jest's global setup of the integration project: starts the keeper of shared brokers (no broker yet).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export default async function setup() {
  const keeper = spawn(
    process.execPath,
    [
      '--conditions=millrace-source',
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'shared-broker-keeper.ts'),
    ],
    // The end of the pipe on its stdin, however this process ends, is its order to stop.
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } },
  );
  const [port] = await Promise.race([
    once(keeper.stdout, 'data'),
    once(keeper, 'exit').then(([code]) => {
      throw new Error(`the keeper of shared brokers ended with ${code}`);
    }),
  ]);
  process.env.MILLRACE_TEST_BROKER_KEEPER = `http://127.0.0.1:${Number(port)}`;
  keeper.unref();
  keeper.stdin.unref();
  keeper.stdout.unref();
  globalThis.millraceBrokerKeeper = keeper;
}
