// Owns an application's options as they are given from outside: variables over a file over what the program itself says, checked once, with
// all faults in one error, each by the name that it has where it was set. It starts nothing, and keeps nothing.
//
//   environment ─┐
//   JSON file ───┼─► values by option path, with origins ─► options ─► the checks of StreamsApplication ─► faults by origin
//   defaults ────┘
import { FatalError } from '#libs/core';
import type { KafkaConnection } from '../connect.ts';
import { optionFaults } from '../options.ts';
import type { StreamsApplicationOptions } from '../options.ts';
import { withHidden } from './secrets.ts';
import { SETTINGS, variableOf } from './settings.ts';
import { Faults, fromEnvironment, fromFile, readText } from './sources.ts';
import type { Environment, SetValues } from './sources.ts';

/** What can be set of a control server. `MillraceModule` takes it as it is, `createControlServer` of `millrace/control` beside its applications. */
export interface ControlConfiguration {
  readonly port?: number;
  readonly host?: string;
  readonly token?: string;
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  readonly allowActions?: boolean;
  readonly hostNames?: readonly string[];
}

/**
 * `StreamsApplicationOptions` without the topology, which is code; and `control`, where it was set, which `StreamsApplication` does not take:
 * `const { control, ...options } = readConfiguration()`.
 */
export interface ApplicationConfiguration extends Omit<StreamsApplicationOptions, 'topology'> {
  readonly control?: boolean | ControlConfiguration;
}

export interface ReadConfigurationOptions {
  /** Default `process.env`. */
  readonly environment?: Environment;
  /** What the variables begin with; another one for each application of a process. Default `MILLRACE_`. */
  readonly prefix?: string;
  /** A JSON file of options. Default: the one that the variable `MILLRACE_CONFIG_FILE` names, if it is set. */
  readonly file?: string;
  /** What holds where neither variable nor file says anything; also what only the program can give. */
  readonly defaults?: Partial<ApplicationConfiguration>;
  /** Beginnings of variables that are for others, such as the prefix of a second application: `['MILLRACE_BILLING_']`. */
  readonly ignore?: readonly string[];
}

const PREFIX = 'MILLRACE_';

/**
 * The options of an application from variables, file and defaults, to be given to `StreamsApplication` or `MillraceModule.forRoot`.
 * @throws FatalError MILLRACE_INVALID_CONFIG naming every fault with its variable, or its file and path. Secrets are not in it.
 */
export function readConfiguration(options: ReadConfigurationOptions = {}): ApplicationConfiguration {
  const { environment = process.env, prefix = PREFIX, defaults = {}, ignore = [] } = options;
  const faults = new Faults();
  const file = options.file ?? environment[`${prefix}CONFIG_FILE`];
  const values: SetValues = new Map([
    ...(file === undefined || file === '' ? [] : fromFile(file, faults)),
    ...fromEnvironment(environment, prefix, ignore, faults),
  ]);
  takeFiles(values, faults);
  const configuration = assemble(defaults, values);
  const name = originOf(values, prefix, file);
  const { control: _control, ...ofApplication } = configuration;
  for (const fault of optionFaults({ ...ofApplication, topology: () => never() })) {
    const path = /^[\w.]+/.exec(fault)?.[0] ?? '';
    // What could not be read is missing here.
    if (!faults.isTold(path)) faults.add(`${name(path)}${fault.slice(path.length)}`);
  }
  if (faults.list.length > 0) throw invalid(faults.list);
  return configuration;
}

/** The variables there are, with what each may be; for documentation and help texts. */
export function configurationVariables(
  prefix: string = PREFIX,
): readonly { readonly variable: string; readonly path: string; readonly kind: string }[] {
  return [...SETTINGS.values()].map(({ path, kind }) => ({
    variable: prefix + variableOf(path),
    path,
    kind: typeof kind === 'string' ? kind : kind.join(' | '),
  }));
}

function never(): never {
  throw new Error('a topology that is not there was asked for');
}

/** Settings that name files become what stands in them. */
function takeFiles(values: SetValues, faults: Faults): void {
  for (const [path, { value, origin }] of [...values]) {
    if (!path.endsWith('File')) continue;
    values.delete(path);
    const target = path.slice(0, -'File'.length);
    const other = values.get(target);
    if (other !== undefined) {
      faults.add(`${origin}: contradicts ${other.origin}`);
      continue;
    }
    const text = readText(value as string, origin, faults);
    // Editors and secret stores end a file with a line break; no password does.
    const isPem = /\.(ca|cert|key)$/.test(target);
    if (text === null) faults.tell(target);
    else values.set(target, { value: isPem ? text : text.replace(/\r?\n$/, ''), origin });
  }
  for (const group of ['kafka.ssl', 'control']) {
    const whole = values.get(group);
    const details = [...values].find(([path]) => path.startsWith(`${group}.`));
    if (whole?.value === false && details !== undefined)
      faults.add(`${whole.origin}: contradicts ${details[1].origin}`);
  }
}

/** Puts values over the defaults, level by level. */
function assemble(defaults: Partial<ApplicationConfiguration>, values: SetValues): ApplicationConfiguration {
  const { kafka, ...rest } = defaults;
  const options: Record<string, unknown> = { ...rest };
  const isConfig = kafka !== undefined && !('createClient' in kafka);
  const given = [...values].some(([path]) => path.startsWith('kafka.'));
  // A simulated cluster is not mixed with addresses: who names brokers means them.
  options['kafka'] = kafka !== undefined && !isConfig && !given ? kafka : { ...(isConfig ? kafka : {}) };
  for (const [path, { value }] of [...values].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const steps = path.split('.');
    let at = options;
    for (const step of steps.slice(0, -1)) {
      const next = at[step];
      at[step] = typeof next === 'object' && next !== null ? { ...next } : {};
      at = at[step] as Record<string, unknown>;
    }
    const last = steps.at(-1)!;
    // A group that is switched on keeps what the defaults say of it.
    if (value !== true || typeof at[last] !== 'object') at[last] = value;
  }
  options['kafka'] = hideSecrets(options['kafka'] as KafkaConnection);
  const control = options['control'];
  if (typeof control === 'object' && control !== null)
    options['control'] = withHidden({ ...control }, ['token', 'tls']);
  return options as unknown as ApplicationConfiguration;
}

function hideSecrets(kafka: KafkaConnection): KafkaConnection {
  if ('createClient' in kafka) return kafka;
  const { sasl, ssl } = kafka;
  return {
    ...kafka,
    ...(typeof sasl === 'object' ? { sasl: withHidden({ ...sasl }, ['password']) } : {}),
    ...(typeof ssl === 'object' ? { ssl: withHidden({ ...ssl }, ['key', 'passphrase', 'pfx']) } : {}),
  };
}

/** How a user knows the option of a path. */
function originOf(values: SetValues, prefix: string, file: string | undefined): (path: string) => string {
  return (path) => {
    const origin = values.get(path)?.origin;
    if (origin !== undefined) return origin;
    if (!SETTINGS.has(path)) return path;
    const inFile = file === undefined || file === '' ? '' : `, or ${path} in ${file}`;
    return `${prefix}${variableOf(path)}${inFile}`;
  };
}

function invalid(faults: readonly string[]): FatalError {
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  return new FatalError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `The configuration has ${count}:${faults.map((fault) => `\n  - ${fault}`).join('')}\n`,
    remedy: 'Correct the named variables and options.',
    context: { faults },
  });
}
