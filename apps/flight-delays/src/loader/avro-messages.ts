// Owns the data set as Avro records, and their schemas in the registry, as any service around Millrace would write them: by
// `@kafkajs/confluent-schema-registry`, which knows nothing of us.
//
// The first half of the flights is written with the first version of their schema, the second half with the second: the topic has both, as a
// topic has after a change of its writers.
import confluent from '@kafkajs/confluent-schema-registry';
import { FatalError } from '#libs/millrace';
import type { Dataset } from '../data/dataset.ts';
import { AIRPORT, AIRPORT_DELAYS, FLIGHT_1, FLIGHT_2 } from '../records/avro-schemas.ts';
import { airportMessages, flightMessages } from './messages.ts';
import type { InputMessages } from './messages.ts';
import { TOPICS } from './topics.ts';

// Node finds only some names of this CommonJS package.
const { SchemaRegistry, SchemaType } = confluent;

/** Registers the schema of the service's own topic: part of its deployment, like the topic. Again is as good as once. */
export async function registerResultSchema(registryUrl: string): Promise<void> {
  await register(clientOf(registryUrl), TOPICS.airportDelays, AIRPORT_DELAYS);
}

export async function avroMessages(dataset: Dataset, registryUrl: string): Promise<InputMessages> {
  const registry = clientOf(registryUrl);
  const airport = await register(registry, TOPICS.airports, AIRPORT);
  const first = await register(registry, TOPICS.flights, FLIGHT_1);
  // The registry holds writers to the rule of the subject: what version 1 wrote can be read by version 2.
  const second = await register(registry, TOPICS.flights, FLIGHT_2);
  const half = dataset.flights.length / 2;
  const airports = await Promise.all(dataset.airports.map((value) => registry.encode(airport, value)));
  const flights = await Promise.all(
    dataset.flights.map((value, index) => registry.encode(index < half ? first : second, value)),
  );
  return {
    airports: airportMessages(dataset, (_airport, index) => airports[index]!),
    flights: flightMessages(dataset, (_flight, index) => flights[index]!),
  };
}

type Client = InstanceType<typeof SchemaRegistry>;

function clientOf(registryUrl: string): Client {
  return new SchemaRegistry({ host: registryUrl, clientId: 'flight-loader' });
}

/** The schema's id. */
async function register(registry: Client, topic: string, schema: object): Promise<number> {
  const confluentSchema = { type: SchemaType.AVRO, schema: JSON.stringify(schema) } as const;
  const subject = `${topic}-value`;
  try {
    return (await registry.register(confluentSchema, { subject })).id;
  } catch (error) {
    throw refused(subject, error);
  }
}

/** The outside client has errors of its own. */
function refused(subject: string, cause: unknown): FatalError {
  const { status, message } = cause as { readonly status?: number; readonly message: string };
  const isAnswer = status === 409 || status === 422;
  return new FatalError({
    code: isAnswer ? 'MILLRACE_SCHEMA_INCOMPATIBLE' : 'MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE',
    message: `The registry did not take the schema of subject "${subject}" from the loader: ${message}.`,
    remedy: isAnswer
      ? 'Change the schema so that what older ones wrote can be read by it.'
      : 'Check that a registry answers at SCHEMA_REGISTRY_URL, or unset it to have one started.',
    cause,
  });
}

/** What the registry has now, for the end of a run. */
export async function describeSubjects(registryUrl: string): Promise<string> {
  const subjects = (await ask(registryUrl, '/subjects')) as string[];
  const lines = ['Subjects of the registry:'];
  for (const subject of subjects.sort()) {
    const versions = (await ask(registryUrl, `/subjects/${subject}/versions`)) as number[];
    lines.push(
      `  ${subject.padEnd(40)} ${versions.length === 1 ? 'version' : 'versions'} ${versions.join(', ')}`,
    );
  }
  lines.push(
    'Half of the flights were written with version 1, without a distance; all were read into version 2.',
  );
  return lines.join('\n');
}

async function ask(registryUrl: string, path: string): Promise<unknown> {
  const answer = await fetch(`${registryUrl}${path}`);
  if (!answer.ok) throw new Error(`GET ${registryUrl}${path}: ${answer.status}`);
  return answer.json();
}
