// `npm start -- fraud-patterns`: a day of card transactions, and the service that watches it. Owns nothing but what a run is made of.
import 'reflect-metadata';
import { runLesson } from '../../lesson-kit/src/index.ts';
import { USAGE, parseArguments } from './arguments.ts';
import { run } from './run.ts';
import { runSimulated } from './run-simulated.ts';

process.exitCode = await runLesson({
  usage: USAGE,
  parse: parseArguments,
  run: (args, signal) => (args.simulated ? runSimulated : run)(args, signal),
  withoutBroker: 'npm start -- fraud-patterns --simulated',
});
// What was killed on the simulated cluster cannot be closed, and may have timers left that would keep this process.
if (process.argv.includes('--simulated')) process.exit();
