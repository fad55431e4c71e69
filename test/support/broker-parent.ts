// A process that starts a broker and waits, to be killed by the spec that proves its broker goes with it.
import { startLocalBroker } from '#libs/broker-local';

const { pid, dataDir } = await startLocalBroker({ roads: ['local'] });
process.stdout.write(`${JSON.stringify({ pid, dataDir })}\n`);
setInterval(() => undefined, 60_000);
