// `npm start -- fraud-patterns`: a day of card transactions, and the service that watches it. Owns nothing but what a run is made of.
import { runLesson } from '../../lesson-kit/src/index.ts';
import { USAGE, parseArguments } from './arguments.ts';
import { run } from './run.ts';

process.exitCode = await runLesson({ usage: USAGE, parse: parseArguments, run });
