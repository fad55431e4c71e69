// A process that writes epoch after epoch until it is killed. Arguments: state directory. Prints a line per 20 epochs.
import { createRocksStateBackend } from '#libs/state-rocksdb';
import { bin, commitEpoch, put, taskOptions } from '../../state/test/support.ts';
import { changedInEpoch } from './written-epochs.ts';

const backend = createRocksStateBackend({ stateDir: process.argv[2]! });
const state = await backend.open(taskOptions({ writeBehindBytes: 2_000, cacheBytesMax: 50_000 }));
await state.restored(state.checkpoint.metadata);
for (let epoch = state.checkpoint.epochId + 1; ; epoch++) {
  const keys = changedInEpoch(epoch);
  await state.readAhead(
    'counts',
    keys.map((key) => bin(key)),
    keys.length,
  );
  for (const key of keys) {
    state.beginRecord();
    put(state, 'counts', key, epoch);
  }
  commitEpoch(state, epoch);
  await new Promise((resolve) => setImmediate(resolve));
  if (epoch % 20 === 0) process.stdout.write(`${epoch}\n`);
}
