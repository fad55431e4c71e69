// Owns what is done before the first record about one subject that a serde is used for: is the own schema there, may it be registered, and
// can what is there be read?
import { FatalError } from '#libs/core';
import type { SchemaCatalog } from './catalog.ts';
import type { SchemaFormat } from './format.ts';
import { RegistryRefusal } from './registry-api.ts';
import type { RegisteredVersion, RegistrySchema, SchemaReference } from './registry-api.ts';
import type { RegisterPolicy } from './registry-options.ts';

export interface SubjectUse {
  readonly subject: string;
  reads: boolean;
  writes: boolean;
  /** Of the application's own topics: all versions must be readable, and the schema may be registered. */
  internal: boolean;
  /** Of a store's keys, which are found by their bytes. */
  stateKey: boolean;
}

export class SubjectCheck {
  readonly use: SubjectUse;
  /** The registry says that it will refuse the schema, and does not say why before it does. */
  isRefused = false;
  readonly #catalog: SchemaCatalog;
  readonly #format: SchemaFormat;
  readonly #policy: RegisterPolicy;

  constructor(catalog: SchemaCatalog, format: SchemaFormat, policy: RegisterPolicy, use: SubjectUse) {
    this.#catalog = catalog;
    this.#format = format;
    this.#policy = policy;
    this.use = use;
  }

  /**
   * Gives the id of the own schema; `null`: it is not needed, or to be registered once all checks are through.
   * @throws FatalError MILLRACE_SCHEMA_INCOMPATIBLE, MILLRACE_SCHEMA_MISSING, and as `SchemaCatalog.failure`
   */
  async check(own: RegistrySchema | null): Promise<number | null> {
    const { subject, reads, writes } = this.use;
    const { api } = this.#catalog;
    const latest = await api.version(subject, 'latest');
    const found = own === null ? null : await api.find(subject, own);
    if (latest !== null && reads) await this.#checkReadable(latest);
    if (latest !== null && own !== null && this.use.stateKey) await this.#checkKey(latest, found?.id);
    if (!writes || own === null) return found?.id ?? null;
    if (found !== null) return found.id;
    if (latest !== null) {
      const { compatible, reasons } = await api.isCompatible(subject, own);
      if (!compatible && (reasons.length > 0 || !this.#mayRegister))
        throw this.#incompatible(latest.version, reasons.join('; '));
      this.isRefused = !compatible;
    }
    if (!this.#mayRegister) throw missing(this.#catalog.host, subject, latest?.version ?? null);
    return null;
  }

  /** @throws FatalError MILLRACE_SCHEMA_INCOMPATIBLE */
  async register(own: RegistrySchema): Promise<number> {
    const { subject } = this.use;
    const { api } = this.#catalog;
    try {
      return await api.register(subject, own);
    } catch (error) {
      if (!(error instanceof RegistryRefusal) || error.status !== 409) throw error;
      // Another instance may have registered it at the same time.
      const found = await api.find(subject, own);
      if (found !== null) return found.id;
      throw this.#incompatible((await api.version(subject, 'latest'))?.version ?? 0, error.message);
    }
  }

  get #mayRegister(): boolean {
    return this.#policy === 'internal' ? this.use.internal : this.#policy;
  }

  /** What is on an internal topic stays there, in state for ever: every version counts. */
  async #checkReadable(latest: RegisteredVersion): Promise<void> {
    const first = this.use.internal ? 1 : latest.version;
    for (let number = first; number <= latest.version; number++) {
      const version =
        number === latest.version ? latest : await this.#catalog.api.version(this.use.subject, number);
      if (version === null) continue;
      const reader = this.#format.reader(await this.#catalog.keep(version.id, version));
      if ('refusal' in reader) throw this.#incompatible(number, reader.refusal);
    }
  }

  async #checkKey(latest: RegisteredVersion, ownId: number | undefined): Promise<void> {
    if (ownId === latest.id) return;
    throw this.#incompatible(
      latest.version,
      'it is of the keys of a store, which are found by their bytes, and those begin with the id of the schema: under another schema ' +
        'nothing of the state would be found',
    );
  }

  #incompatible(version: number, reason: string): FatalError {
    const { subject } = this.use;
    const said = reason === '' ? 'The registry gives no reason' : reason;
    return new FatalError({
      code: 'MILLRACE_SCHEMA_INCOMPATIBLE',
      message:
        `The ${this.#format.kind} schema${this.#format.record === '' ? '' : ` ${this.#format.record}`} of the application does not go ` +
        `with version ${version} of subject "${subject}" in ${this.#catalog.host}: ${said}.`,
      remedy:
        'Change the schema so that it fits (a default for a new field, an alias for a renamed one), or use another topic.',
      context: { subject, version, reason: said },
    });
  }
}

function missing(host: string, subject: string, latest: number | null): FatalError {
  return new FatalError({
    code: 'MILLRACE_SCHEMA_MISSING',
    message:
      `Subject "${subject}" of ${host} does not have the schema that the application writes with: ` +
      (latest === null ? 'it has no version.' : `none of its ${latest} versions is it.`),
    remedy: 'Register it as part of the deployment, or give the serde `register: true`.',
    context: { subject, latest },
  });
}

/** The own schema with the versions of what it names, which are looked up, or registered where that is allowed. */
export async function resolveOwn(
  catalog: SchemaCatalog,
  format: SchemaFormat,
  policy: RegisterPolicy,
): Promise<RegistrySchema | null> {
  const { own, kind } = format;
  if (own === null) return null;
  const resolved: SchemaReference[] = [];
  for (const { name, subject, text } of own.references) {
    const schema = { kind, text, references: namedIn(text, resolved) };
    let found = await catalog.api.find(subject, schema);
    if (found === null) {
      if (policy !== true) throw missing(catalog.host, subject, null);
      await catalog.api.register(subject, schema);
      found = await catalog.api.find(subject, schema);
    }
    if (found === null) throw missing(catalog.host, subject, null);
    resolved.push({ name, subject, version: found.version });
  }
  return { kind, text: own.text, references: resolved };
}

/** A reference names those before it that its text mentions. */
function namedIn(text: string, known: readonly SchemaReference[]): SchemaReference[] {
  return known.filter(({ name }) => text.includes(name));
}
