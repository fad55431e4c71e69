// Jest's per-file setup of the integration project: starting a broker takes seconds, on a busy machine tens of them,
// and a hang must still end. (Jest takes `testTimeout` for the whole run only, and unit specs keep its default.)
import { jest } from '@jest/globals';

jest.setTimeout(120_000);
