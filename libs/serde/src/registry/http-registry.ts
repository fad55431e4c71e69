// Owns the way to a registry over HTTP, by the client of @kafkajs/confluent-schema-registry: its routes, retries and authorization, and
// TLS by an agent of Node's.
import { createRequire } from 'node:module';
import { Agent as HttpsAgent } from 'node:https';
import type { SchemaRegistryOptions } from './registry-options.ts';
import { RegistryRefusal } from './registry-api.ts';
import type { RegisteredVersion, RegistryApi, RegistrySchema, SchemaKind } from './registry-api.ts';

const TIMEOUT_MS = 10_000;
/** Before it is up to whoever asked; the library's pauses double from 0.1 s. */
const RETRIES = 2;

type Call = (parameters: Record<string, unknown>) => Promise<{ data(): unknown }>;

interface LibraryClient {
  readonly Schema: { readonly find: Call };
  readonly Subject: Readonly<Record<'version' | 'registered' | 'register' | 'compatible', Call>>;
}

interface LibraryRequest {
  enhance(extras: { headers?: Record<string, string>; timeout?: number }): LibraryRequest;
}

interface WireSchema {
  readonly schema: string;
  readonly schemaType?: SchemaKind;
  readonly references?: RegistrySchema['references'];
}

export function httpRegistry(options: SchemaRegistryOptions): RegistryApi {
  const client = libraryClient(options);
  return {
    async byId(id) {
      const found = await orNull(client.Schema.find({ id }));
      return found === null ? null : schemaOf(found as WireSchema);
    },
    async find(subject, schema) {
      const found = await orNull(client.Subject.registered({ subject, body: wireOf(schema) }));
      return found as { id: number; version: number } | null;
    },
    async version(subject, version) {
      const found = (await orNull(client.Subject.version({ subject, version }))) as
        (WireSchema & Pick<RegisteredVersion, 'id' | 'version'>) | null;
      return found === null ? null : { ...schemaOf(found), id: found.id, version: found.version };
    },
    async register(subject, schema) {
      return ((await answer(client.Subject.register({ subject, body: wireOf(schema) }))) as { id: number })
        .id;
    },
    async isCompatible(subject, schema) {
      // Without a version to compare with some registries answer 404.
      const found = await orNull(
        client.Subject.compatible({ subject, verbose: 'true', body: wireOf(schema) }),
      );
      const { is_compatible: compatible = true, messages = [] } = (found ?? {}) as {
        is_compatible?: boolean;
        messages?: string[];
      };
      return { compatible, reasons: messages };
    },
  };
}

/** The class the library exports has no way to these routes for subjects with references or another rule than its default. */
function libraryClient(options: SchemaRegistryOptions): LibraryClient {
  const { host, auth, token, tls, clientId, timeoutMs = TIMEOUT_MS } = options;
  const library = createRequire(import.meta.url)('@kafkajs/confluent-schema-registry/dist/api') as {
    default: (options: object) => LibraryClient;
  };
  const prepared = (): object => ({
    async prepareRequest(next: () => Promise<LibraryRequest>): Promise<LibraryRequest> {
      const request = await next();
      if (token === undefined) return request.enhance({ timeout: timeoutMs });
      const bearer = typeof token === 'string' ? token : await token();
      return request.enhance({ timeout: timeoutMs, headers: { authorization: `Bearer ${bearer}` } });
    },
  });
  return library.default({
    host: host.replace(/\/+$/, ''),
    retry: { retries: RETRIES },
    middlewares: [prepared],
    ...(auth === undefined ? {} : { auth: { ...auth } }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(tls === undefined ? {} : { agent: new HttpsAgent({ keepAlive: true, ...tls }) }),
  });
}

function schemaOf({ schema, schemaType = 'AVRO', references = [] }: WireSchema): RegistrySchema {
  return { kind: schemaType, text: schema, references };
}

function wireOf({ kind, text, references }: RegistrySchema): WireSchema {
  return {
    schema: text,
    ...(kind === 'AVRO' ? {} : { schemaType: kind }),
    ...(references.length === 0 ? {} : { references }),
  };
}

async function answer(call: Promise<{ data(): unknown }>): Promise<unknown> {
  try {
    return (await call).data();
  } catch (error) {
    const { status, message } = error as { status?: number; message?: string };
    if (typeof status !== 'number' || message === undefined) throw error;
    const said = message.slice(message.indexOf(' - ') + 3);
    // The library makes a status of what was no answer too, such as 400 of a refused connection. A registry always gives a message.
    const answered = !NO_MESSAGE.test(said) || status === 401 || status === 403;
    if (answered && status < 500) throw new RegistryRefusal(status, said);
    throw new Error(said, { cause: error });
  }
}

const NO_MESSAGE = /^Error, status \d+/;

async function orNull(call: Promise<{ data(): unknown }>): Promise<unknown> {
  try {
    return await answer(call);
  } catch (error) {
    if (error instanceof RegistryRefusal && error.status === 404) return null;
    throw error;
  }
}
