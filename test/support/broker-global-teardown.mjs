// Jest's global teardown of the integration project: ends the keeper of shared brokers, and with it the brokers.
import { once } from 'node:events';

export default async function teardown() {
  const keeper = globalThis.millraceBrokerKeeper;
  if (keeper === undefined || keeper.exitCode !== null) return;
  keeper.ref();
  keeper.stdin.end();
  await once(keeper, 'exit');
}
