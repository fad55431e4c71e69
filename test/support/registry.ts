// Owns how a spec gets a real schema registry, and what specs ask it directly, past all that Millrace knows of it.
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { registryAvailability, startLocalRegistry } from '#libs/broker-local';
import type { LocalRegistry } from '#libs/broker-local';
import { describeWithBroker } from './broker.ts';
import type { SharedBroker } from './broker.ts';

const availability = await registryAvailability();
const START_TIMEOUT_MS = 300_000;

/** One registry for the suite; skipped, with the reason in its name, where this machine can have none. */
export function describeWithRegistry(name: string, body: (registry: () => LocalRegistry) => void): void {
  if (availability.road === undefined) {
    describe.skip(`${name} (skipped: ${availability.reasons.join(' ')})`, () => {
      body(() => {
        throw new Error('skipped');
      });
      it('has at least one test', () => undefined);
    });
    return;
  }
  describe(name, () => {
    let registry: LocalRegistry | undefined;
    beforeAll(async () => {
      registry = await startLocalRegistry();
    }, START_TIMEOUT_MS);
    afterAll(() => registry?.stop());
    body(() => registry!);
  });
}

export function describeWithBrokerAndRegistry(
  name: string,
  body: (broker: () => SharedBroker, registry: () => LocalRegistry) => void,
): void {
  describeWithRegistry(name, (registry) =>
    describeWithBroker('and a broker', (broker) => body(broker, registry)),
  );
}

/** The registry's own REST interface. */
export class RegistryRest {
  readonly url: string;

  constructor({ url }: Pick<LocalRegistry, 'url'>) {
    this.url = url;
  }

  async ask(path: string, body?: unknown, method = body === undefined ? 'GET' : 'POST'): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw Object.assign(new Error(JSON.stringify(answer)), { status: response.status });
    return answer;
  }

  async register(subject: string, schema: object | string, schemaType?: string): Promise<number> {
    const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
    const answer = await this.ask(`/subjects/${subject}/versions`, { schema: text, schemaType });
    return (answer as { id: number }).id;
  }

  async schema(id: number): Promise<unknown> {
    return JSON.parse(((await this.ask(`/schemas/ids/${id}`)) as { schema: string }).schema);
  }

  async subjects(prefix: string): Promise<string[]> {
    return ((await this.ask('/subjects')) as string[]).filter((name) => name.startsWith(prefix)).sort();
  }

  async versions(subject: string): Promise<number[]> {
    return (await this.ask(`/subjects/${subject}/versions`)) as number[];
  }

  async compatibility(subject: string, compatibility: string): Promise<void> {
    await this.ask(`/config/${subject}`, { compatibility }, 'PUT');
  }
}
