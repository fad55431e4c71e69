// Owns the command line.
import { parseArgs } from 'node:util';

export interface Arguments {
  /** As fast as it goes, rather than to be watched. */
  readonly once: boolean;
  /** False: a further copy of the service, and nothing else. */
  readonly load: boolean;
  /** Transactions published a second. */
  readonly rate: number;
  /** `null`: a temporary folder. */
  readonly stateDir: string | null;
  readonly seed: number;
  /** On a cluster simulated in this process, without a broker. */
  readonly simulated: boolean;
  readonly help: boolean;
}

export const USAGE = `npm start -- fraud-patterns [options]

Plays a day of card transactions, with frauds that are known, and prints what the service finds as it finds it. The spending limit
is changed at noon, while it runs. Ends with precision and recall. The broker is that of KAFKA_BROKERS; without it one is started,
by Docker or with a JDK 17+ and Maven.

  --once             as fast as it goes: everything is published, then processed
  --rate N           transactions published a second; default 400
  --seed N           another day; default 1
  --no-load          only a further copy of the service, until Ctrl-C
  --state-dir PATH   keep the state there; default a temporary folder
  --simulated        without any broker, on a cluster simulated in this process: two copies of the service, one of which is
                     killed half-way. Takes --rate, --seed and --once
`;

/** @throws Error for what is not an option, or not its value. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      once: { type: 'boolean', default: false },
      load: { type: 'boolean', default: true },
      rate: { type: 'string', default: '400' },
      seed: { type: 'string', default: '1' },
      'state-dir': { type: 'string' },
      simulated: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.simulated && (!values.load || values['state-dir'] !== undefined))
    throw new Error('--simulated publishes its own input and keeps its state in memory');
  return {
    once: values.once,
    load: values.load,
    rate: positive('rate', values.rate),
    seed: positive('seed', values.seed),
    stateDir: values['state-dir'] ?? null,
    simulated: values.simulated,
    help: values.help,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new Error(`--${name} must be a positive number, is '${text}'`);
  return value;
}
