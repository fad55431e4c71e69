import { describe, expect, it } from '@jest/globals';
import { differences } from '../src/check.ts';
import { parseArguments } from '../src/arguments.ts';

describe('the command line', () => {
  it('publishes twenty lines a second, unless told otherwise', () => {
    expect(parseArguments([])).toEqual({
      ...{ once: false, load: true, rate: 20, stateDir: null, simulated: false },
    });
    expect(parseArguments(['--once', '--no-load', '--rate', '5', '--state-dir', 'here'])).toEqual({
      ...{ once: true, load: false, rate: 5, stateDir: 'here', simulated: false },
    });
  });

  it.each([
    [['--rate', 'fast'], "--rate must be a positive number, is 'fast'"],
    [['--simulated', '--no-load'], '--simulated publishes its own input'],
    [['--sloppy'], "Unknown option '--sloppy'"],
  ])('refuses %j, and says why', (args, message) => {
    expect(() => parseArguments(args)).toThrow(message);
  });
});

describe('the check', () => {
  it('names each word whose count is wrong, missing or of nothing', () => {
    const counted = new Map([
      ['mill', 2],
      ['river', 1],
    ]);
    expect(differences(counted, counted)).toEqual([]);
    const wrong = new Map([
      ['mill', 3],
      ['sea', 1],
    ]);
    expect(differences(counted, wrong)).toEqual([
      "'mill': the service has 3, the topic 2",
      "'river': the service has 0, the topic 1",
      "'sea': the service has 1, the topic 0",
    ]);
  });
});
