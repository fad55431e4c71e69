// Owns what a client knows of its registry: schemas by id with all that they name, asked for once; and what is made of the registry's
// refusals and silence.
import { FatalError, MillraceError, RetriableError, asError } from '#libs/core';
import type { WrittenSchema } from './format.ts';
import { RegistryRefusal } from './registry-api.ts';
import type { RegistryApi, RegistrySchema } from './registry-api.ts';

export class SchemaCatalog {
  readonly host: string;
  readonly api: RegistryApi;
  readonly #asked = new Map<number, Promise<WrittenSchema | null>>();
  readonly #known = new Map<number, WrittenSchema>();

  constructor(host: string, api: RegistryApi) {
    this.host = host;
    this.api = api;
  }

  /** Without asking; `undefined`: it was not asked for yet. */
  known(id: number): WrittenSchema | undefined {
    return this.#known.get(id);
  }

  /** `null`: the registry does not have it, and is asked again the next time. @throws as `failure` says */
  byId(id: number): Promise<WrittenSchema | null> {
    let asked = this.#asked.get(id);
    if (asked === undefined) {
      asked = this.#ask(id).finally(() => this.#asked.delete(id));
      this.#asked.set(id, asked);
    }
    return asked;
  }

  async #ask(id: number): Promise<WrittenSchema | null> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    try {
      const found = await this.api.byId(id);
      return found === null ? null : await this.keep(id, found);
    } catch (error) {
      throw this.failure(error, `schema ${id}`);
    }
  }

  /** Remembers a schema that was come by in another way. */
  async keep(id: number, schema: RegistrySchema): Promise<WrittenSchema> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const referenced: { name: string; text: string }[] = [];
    await this.#collect(schema, referenced, new Set());
    const written = { ...schema, referenced };
    this.#known.set(id, written);
    return written;
  }

  /** Depth first, so that each comes before those that name it. */
  async #collect(
    schema: RegistrySchema,
    into: { name: string; text: string }[],
    seen: Set<string>,
  ): Promise<void> {
    for (const { name, subject, version } of schema.references) {
      const key = JSON.stringify([subject, version]);
      if (seen.has(key)) continue;
      seen.add(key);
      const found = await this.api.version(subject, version);
      if (found === null) {
        throw new RegistryRefusal(
          404,
          `it names version ${version} of subject "${subject}", which is not there`,
        );
      }
      await this.#collect(found, into, seen);
      into.push({ name, text: found.text });
    }
  }

  /** What `what` could not be had for. Errors of ours are passed on. */
  failure(error: unknown, what: string): MillraceError {
    if (error instanceof MillraceError) return error;
    const status = error instanceof RegistryRefusal ? error.status : undefined;
    if (status === 401 || status === 403) {
      return new FatalError({
        code: 'MILLRACE_AUTHENTICATION_FAILED',
        message: `The schema registry at ${this.host} refused to give ${what} (status ${status}).`,
        remedy:
          'Check the user, the password or token, and the rights in the options of the schema registry.',
        cause: error,
      });
    }
    if (status === 422) {
      return new FatalError({
        code: 'MILLRACE_INVALID_CONFIG',
        message: `The schema registry at ${this.host} refused ${what} as invalid: ${asError(error).message}.`,
        remedy: 'Correct the schema.',
        cause: error,
      });
    }
    return new RetriableError({
      code: 'MILLRACE_SCHEMA_REGISTRY_UNAVAILABLE',
      message: `The schema registry at ${this.host} did not give ${what}: ${asError(error).message}.`,
      remedy: 'Check that it runs and is reachable from here; what needs it waits and is tried again.',
      cause: error,
    });
  }
}
