import { describe, expect, it } from '@jest/globals';
import { parseArguments } from '../src/arguments.ts';

describe('the command line', () => {
  it('runs live, with JSON and any free ports, unless told otherwise', () => {
    expect(parseArguments([])).toEqual({
      ...{ once: false, load: true, rate: 1_000, stateDir: null, simulated: false },
      ...{ avro: false, port: null, metricsPort: null },
    });
    expect(parseArguments(['--avro', '--port', '9000', '--metrics-port', '0', '--no-load'])).toMatchObject({
      ...{ avro: true, port: 9_000, metricsPort: 0, load: false },
    });
  });

  it.each([
    [['--port', 'http'], "--port must be a port, 0 to 65535, is 'http'"],
    [['--port', '70000'], "--port must be a port, 0 to 65535, is '70000'"],
    [['--rate', '0'], "--rate must be a positive number, is '0'"],
    [['--simulated', '--avro'], '--simulated has no schema registry'],
    [['--fast'], "Unknown option '--fast'"],
    [['fast'], "Unexpected argument 'fast'"],
  ])('refuses %j, and says why', (args, message) => {
    expect(() => parseArguments(args)).toThrow(message);
  });
});
