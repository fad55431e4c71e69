// `npm start -- word-count`: the word-count service with all it needs. Owns nothing but what a run is made of.
import 'reflect-metadata';
import { runLesson } from '../../lesson-kit/src/index.ts';
import { USAGE, parseArguments } from './arguments.ts';
import { run } from './run.ts';
import { runSimulated } from './run-simulated.ts';

process.exitCode = await runLesson({
  usage: USAGE,
  parse: parseArguments,
  run: (args, signal) => (args.simulated ? runSimulated : run)(args, signal),
  withoutBroker: 'npm start -- word-count --simulated',
});
