// Owns a registry inside this process, for tests: ids by content as Confluent's has them, versions by subject, and for Avro the rule
// BACKWARD: a new version must be able to read what the last one wrote.
import { parseAvro } from '../avro.ts';
import type { AvroSchema } from '../avro.ts';
import { RegistryRefusal } from './registry-api.ts';
import type { RegistryApi, RegistrySchema } from './registry-api.ts';

const registries = new Map<string, RegistryApi>();

/** The same for the same name, as long as the process lives. */
export function memoryRegistry(name: string): RegistryApi {
  let registry = registries.get(name);
  if (registry === undefined) registries.set(name, (registry = new MemoryRegistry()));
  return registry;
}

class MemoryRegistry implements RegistryApi {
  readonly #schemas: RegistrySchema[] = [];
  readonly #subjects = new Map<string, number[]>();

  byId(id: number): Promise<RegistrySchema | null> {
    return Promise.resolve(this.#schemas[id - 1] ?? null);
  }

  find(subject: string, schema: RegistrySchema): Promise<{ id: number; version: number } | null> {
    const id = this.#idOf(schema);
    const version = (this.#subjects.get(subject) ?? []).indexOf(id) + 1;
    return Promise.resolve(version === 0 ? null : { id, version });
  }

  version(
    subject: string,
    version: number | 'latest',
  ): Promise<(RegistrySchema & { id: number; version: number }) | null> {
    const ids = this.#subjects.get(subject) ?? [];
    const number = version === 'latest' ? ids.length : version;
    const id = ids[number - 1];
    return Promise.resolve(id === undefined ? null : { ...this.#schemas[id - 1]!, id, version: number });
  }

  async register(subject: string, schema: RegistrySchema): Promise<number> {
    const { compatible, reasons } = await this.isCompatible(subject, schema);
    if (!compatible) throw new RegistryRefusal(409, reasons.join('; '));
    let id = this.#idOf(schema);
    if (id === 0) id = this.#schemas.push(schema);
    const ids = this.#subjects.get(subject);
    if (ids === undefined) this.#subjects.set(subject, [id]);
    else if (!ids.includes(id)) ids.push(id);
    return id;
  }

  async isCompatible(
    subject: string,
    schema: RegistrySchema,
  ): Promise<{ compatible: boolean; reasons: readonly string[] }> {
    const latest = await this.version(subject, 'latest');
    if (latest === null || latest.kind !== 'AVRO' || schema.kind !== 'AVRO')
      return { compatible: true, reasons: [] };
    try {
      (await this.#type(schema)).createResolver(await this.#type(latest));
      return { compatible: true, reasons: [] };
    } catch (error) {
      return { compatible: false, reasons: [(error as Error).message] };
    }
  }

  async #type(schema: RegistrySchema): Promise<ReturnType<typeof parseAvro>> {
    const references: AvroSchema[] = [];
    await this.#collect(schema, references, new Set());
    return parseAvro(JSON.parse(schema.text) as AvroSchema, { references });
  }

  async #collect({ references }: RegistrySchema, into: AvroSchema[], seen: Set<string>): Promise<void> {
    for (const { subject, version } of references) {
      if (seen.has(`${subject} ${version}`)) continue;
      seen.add(`${subject} ${version}`);
      const found = await this.version(subject, version);
      if (found === null) throw new RegistryRefusal(422, `Subject ${subject} has no version ${version}`);
      await this.#collect(found, into, seen);
      into.push(JSON.parse(found.text) as AvroSchema);
    }
  }

  /** 0: not there. */
  #idOf({ kind, text, references }: RegistrySchema): number {
    const wanted = JSON.stringify([kind, text, references]);
    return (
      this.#schemas.findIndex((each) => JSON.stringify([each.kind, each.text, each.references]) === wanted) +
      1
    );
  }
}
