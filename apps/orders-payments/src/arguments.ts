// Owns the command line.
import { parseArgs } from 'node:util';

export interface Arguments {
  /** As fast as it goes, rather than to be watched. */
  readonly once: boolean;
  /** False: a further copy of the service, and nothing else. */
  readonly load: boolean;
  /** Records published a second. */
  readonly rate: number;
  /** `null`: a temporary folder. */
  readonly stateDir: string | null;
  readonly seed: number;
  readonly help: boolean;
}

export const USAGE = `npm start -- orders-payments [options]

Plays two days of a shop. The service is killed half-way through Friday and goes on; some orders are dead letters, because it has no
rate for their currency; it is mended and they are put back, exactly once; on Monday the books are closed, and checked. The broker is
that of KAFKA_BROKERS; without it one is started, by Docker or with a JDK 17+ and Maven.

  --once             as fast as it goes
  --rate N           records published a second; default 600
  --seed N           other days; default 1
  --no-load          only a further copy of the service, until Ctrl-C
  --state-dir PATH   keep the state there; default a temporary folder
`;

/** @throws Error for what is not an option, or not its value. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      once: { type: 'boolean', default: false },
      load: { type: 'boolean', default: true },
      rate: { type: 'string', default: '600' },
      seed: { type: 'string', default: '1' },
      'state-dir': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    once: values.once,
    load: values.load,
    rate: positive('rate', values.rate),
    seed: positive('seed', values.seed),
    stateDir: values['state-dir'] ?? null,
    help: values.help,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new Error(`--${name} must be a positive number, is '${text}'`);
  return value;
}
