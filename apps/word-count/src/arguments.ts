// Owns the command line.
import { parseArgs } from 'node:util';

export interface Arguments {
  /** Ends when the input is processed, and checks the result. */
  readonly once: boolean;
  /** False: somebody else publishes the input. */
  readonly load: boolean;
  /** Lines published a second. */
  readonly rate: number;
  /** `null`: a temporary folder. */
  readonly stateDir: string | null;
  /** On a cluster simulated in this process, without a broker. */
  readonly simulated: boolean;
}

export const USAGE = `npm start -- word-count [options]

Publishes a story to Kafka line by line, over and over, counts its words, and draws the most frequent ones. Ctrl-C stops.
The broker is that of KAFKA_BROKERS; without it one is started, by Docker or with a JDK 17+ and Maven.

  --once             publish the story once, stop when all is counted, and check the counts against the topic
  --rate N           lines published a second; default 20
  --no-load          publish nothing: a copy that only counts
  --state-dir PATH   keep the state there; default a temporary folder
  --simulated        without any broker, on a cluster simulated in this process: two copies of the service, one of which is
                     killed in the middle of the story; ends by itself with the counts checked. Takes --once (as fast as it goes)
`;

/** @throws Error for what is not an option, or not its value. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      once: { type: 'boolean', default: false },
      load: { type: 'boolean', default: true },
      rate: { type: 'string', default: '20' },
      'state-dir': { type: 'string' },
      simulated: { type: 'boolean', default: false },
    },
  });
  const rate = Number(values.rate);
  if (!Number.isFinite(rate) || rate <= 0)
    throw new Error(`--rate must be a positive number, is '${values.rate}'`);
  if (values.simulated && (!values.load || values['state-dir'] !== undefined))
    throw new Error('--simulated publishes its own input and keeps its state in memory');
  return {
    simulated: values.simulated,
    once: values.once,
    load: values.load,
    rate,
    stateDir: values['state-dir'] ?? null,
  };
}
