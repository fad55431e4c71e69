// Owns the list of topologies under test. Append only: a seed chooses among them by number.
import { echo } from './echo.ts';
import { join } from './join.ts';
import { repartition } from './repartition.ts';
import { sum } from './sum.ts';
import { timers } from './timers.ts';
import type { TopologyUnderTest } from './topology-under-test.ts';
import { window } from './window.ts';

export const topologies: readonly TopologyUnderTest[] = [echo, sum, repartition, join, window, timers];
