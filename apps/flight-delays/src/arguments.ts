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
  /** On a cluster simulated in this process, without a broker. */
  readonly simulated: boolean;
  readonly help: boolean;
}

export const USAGE = `npm start [-- options]

Publishes 20,000 US flights to Kafka, keeps the delays of each airport, and draws the worst ten. Ctrl-C stops.
The broker is that of KAFKA_BROKERS; without it one is started, by Docker or with a JDK 17+ and Maven.

  --once             stop when all is processed, and check the result against the file
  --rate N           flights published a second; default 1000, with --simulated 4000
  --no-load          publish nothing: the topics are filled by somebody else
  --state-dir PATH   keep the state there; default a temporary folder
  --simulated        without any broker, on a cluster simulated in this process: two copies of the service, one of which is
                     killed half-way; ends by itself with the result checked. Takes --rate and --once (as fast as it goes)
`;

/** @throws Error for what is not an option, or not its value. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      once: { type: 'boolean', default: false },
      load: { type: 'boolean', default: true },
      rate: { type: 'string' },
      'state-dir': { type: 'string' },
      simulated: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  // A simulated run ends by itself: it should not take long.
  const rate = Number(values.rate ?? (values.simulated ? 4_000 : 1_000));
  if (!Number.isFinite(rate) || rate <= 0)
    throw new Error(`--rate must be a positive number, is '${String(values.rate)}'`);
  if (values.simulated && (!values.load || values['state-dir'] !== undefined))
    throw new Error('--simulated publishes its own input and keeps its state in memory');
  return {
    once: values.once,
    load: values.load,
    rate,
    stateDir: values['state-dir'] ?? null,
    simulated: values.simulated,
    help: values.help,
  };
}
