// `npm start -- orders-payments`: two days of a shop, and the service that keeps its books. Owns nothing but what a run is made of.
import { runLesson } from '../../lesson-kit/src/index.ts';
import { USAGE, parseArguments } from './arguments.ts';
import { run } from './run.ts';

process.exitCode = await runLesson({ usage: USAGE, parse: parseArguments, run });
