// Owns the command line.
import { parseArgs } from 'node:util';

export interface Arguments {
  /** Ends when the input is processed, and checks the result. */
  readonly once: boolean;
  /** False: somebody else publishes the input. */
  readonly load: boolean;
  /** Flights published a second while the board is on. */
  readonly rate: number;
  /** `null`: a temporary folder. */
  readonly stateDir: string | null;
  readonly help: boolean;
}

export const USAGE = `npm start [-- options]

Publishes 20,000 US flights to Kafka, keeps the delays of each airport, and draws the worst ten. Ctrl-C stops.
The broker is that of KAFKA_BROKERS; without it one is started, by Docker or with a JDK 17+ and Maven.

  --once             stop when all is processed, and check the result against the file
  --rate N           flights published a second; default 1000
  --no-load          publish nothing: the topics are filled by somebody else
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
      rate: { type: 'string', default: '1000' },
      'state-dir': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const rate = Number(values.rate);
  if (!Number.isFinite(rate) || rate <= 0)
    throw new Error(`--rate must be a positive number, is '${values.rate}'`);
  return {
    once: values.once,
    load: values.load,
    rate,
    stateDir: values['state-dir'] ?? null,
    help: values.help,
  };
}
