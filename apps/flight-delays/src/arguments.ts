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
  /** Records in Avro, by a schema registry; else JSON. */
  readonly avro: boolean;
  /** Of the control server; `null`: 8075, or any that is free. */
  readonly port: number | null;
  /** Of the endpoint for Prometheus; `null`: 9464, or any that is free. */
  readonly metricsPort: number | null;
  /** On a cluster simulated in this process, without a broker. */
  readonly simulated: boolean;
}

export const USAGE = `npm start [-- flight-delays] [options]

Publishes 20,000 US flights to Kafka, keeps the delays of each airport, and draws the worst ten. Ctrl-C stops.
The broker is that of KAFKA_BROKERS; without it one is started, by Docker or with a JDK 17+ and Maven.

  --once             stop when all is processed, and check the result against the file
  --rate N           flights published a second; default 1000, with --simulated 4000
  --no-load          publish nothing: the topics are filled by somebody else. For a second copy
  --avro             records in Avro. The schema registry is that of SCHEMA_REGISTRY_URL; without it one is started, by Docker or with
                     a JDK 21+ and Maven
  --port N           of the dashboard, the control API and queries; default 8075, or any that is free
  --metrics-port N   of the endpoint for Prometheus; default 9464, or any that is free
  --state-dir PATH   keep the state there; default a temporary folder
  --simulated        without any broker, on a cluster simulated in this process: two copies of the service, one of which is
                     killed half-way; ends by itself with the result checked. Takes --rate and --once (as fast as it goes)

Other lessons: npm start -- --list
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
      avro: { type: 'boolean', default: false },
      port: { type: 'string' },
      'metrics-port': { type: 'string' },
      simulated: { type: 'boolean', default: false },
    },
  });
  // A simulated run ends by itself: it should not take long.
  const rate = Number(values.rate ?? (values.simulated ? 4_000 : 1_000));
  if (!Number.isFinite(rate) || rate <= 0)
    throw new Error(`--rate must be a positive number, is '${String(values.rate)}'`);
  if (values.simulated && (!values.load || values['state-dir'] !== undefined))
    throw new Error('--simulated publishes its own input and keeps its state in memory');
  if (values.simulated && values.avro)
    throw new Error('--simulated has no schema registry; --avro needs one, and a broker');
  return {
    avro: values.avro,
    port: portOf('port', values.port),
    metricsPort: portOf('metrics-port', values['metrics-port']),
    once: values.once,
    load: values.load,
    rate,
    stateDir: values['state-dir'] ?? null,
    simulated: values.simulated,
  };
}

function portOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new Error(`--${name} must be a port, 0 to 65535, is '${text}'`);
  return port;
}
