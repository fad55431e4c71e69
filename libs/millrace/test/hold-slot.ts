// A process that claims a slot, says which, and waits to be killed.
import { claimSlot } from '../src/instance-slot.ts';
import { tryLockDirectory } from '#libs/state-rocksdb';

const slot = await claimSlot(process.argv[2]!, 'app', tryLockDirectory);
process.stdout.write(`${JSON.stringify(slot)}\n`);
setInterval(() => undefined, 60_000);
