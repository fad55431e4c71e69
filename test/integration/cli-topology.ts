// The topology of the command line's specs as a module that commands load: names of topics do not matter to stores.
import { wordTopology } from './cli-fixture.ts';

export const builder = wordTopology('lines', 'out', 'dead');
