// Owns reading settings from where they stand, each with the name it has there: variables of the environment, and a JSON file. What it says of
// a fault never holds the value of a secret, nor a piece of a file that is not understood.
import { readFileSync } from 'node:fs';
import { OF_THE_PROGRAM, SETTINGS, describeKind, nearest, variableOf } from './settings.ts';
import type { Setting } from './settings.ts';

export interface SetValue {
  readonly value: unknown;
  /** How the user knows it: `MILLRACE_STATE_DIR`, or `millrace.json: stateDir`. */
  readonly origin: string;
}

/** What is wrong, in the order in which it was found. */
export class Faults {
  readonly list: string[] = [];
  /** Paths of options of which something was said. */
  private readonly told = new Set<string>();

  /** `path`: of the option that is concerned. */
  add(fault: string, path?: string): void {
    this.list.push(fault);
    if (path !== undefined) this.tell(path);
  }

  /** Something that was said concerns this option too. */
  tell(path: string): void {
    this.told.add(path);
  }

  isTold(path: string): boolean {
    return this.told.has(path);
  }
}

/** By option path. */
export type SetValues = Map<string, SetValue>;

export type Environment = Readonly<Record<string, string | undefined>>;

const FILE_BYTES_MAX = 1024 * 1024;
const SHOWN_CHARACTERS_MAX = 60;
/** What Kubernetes sets for a service that is called like the prefix. */
const SERVICE_LINKS = /^(SERVICE_HOST|SERVICE_PORT.*|PORT|PORT_\d+_(TCP|UDP|SCTP).*)$/;

/** Names behind the prefix that are not settings of an application. */
const OTHER_VARIABLES = ['CONFIG_FILE', 'CACHE'];

export function fromEnvironment(
  environment: Environment,
  prefix: string,
  ignore: readonly string[],
  faults: Faults,
): SetValues {
  const values: SetValues = new Map();
  const byVariable = new Map([...SETTINGS.values()].map((setting) => [variableOf(setting.path), setting]));
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(prefix) || text === undefined) continue;
    const name = variable.slice(prefix.length);
    const setting = byVariable.get(name);
    if (setting === undefined) {
      const isOurs = !OTHER_VARIABLES.includes(name) && !SERVICE_LINKS.test(name);
      if (!isOurs || ignore.some((start) => variable.startsWith(start))) continue;
      const near = nearest(name, byVariable.keys());
      faults.add(`${variable}: no such variable${near === null ? '' : `; is ${prefix}${near} meant?`}`);
      continue;
    }
    // An empty variable is how many tools write one that is not set.
    if (text.trim() === '') continue;
    const value = parseText(setting, text.trim());
    if (value === undefined)
      faults.add(`${variable}: ${describeKind(setting.kind)}${shown(setting, text)}`, setting.path);
    else values.set(setting.path, { value, origin: variable });
  }
  return values;
}

/** Messages call the file as `path` does. */
export function fromFile(path: string, faults: Faults): SetValues {
  const values: SetValues = new Map();
  const text = readText(path, path, faults);
  if (text === null) return values;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    // What the parser says quotes the file, where secrets may stand.
    const place = /line \d+ column \d+|position \d+/.exec(String(error))?.[0];
    faults.add(`${path}: is not JSON${place === undefined ? '' : ` (${place})`}`);
    return values;
  }
  if (!isRecord(parsed)) {
    faults.add(`${path}: must be an object of options`);
    return values;
  }
  takeObject(parsed, '', path, values, faults);
  return values;
}

function takeObject(
  object: Readonly<Record<string, unknown>>,
  parent: string,
  file: string,
  values: SetValues,
  faults: Faults,
): void {
  for (const [name, value] of Object.entries(object)) {
    const path = parent === '' ? name : `${parent}.${name}`;
    const origin = `${file}: ${path}`;
    const setting = SETTINGS.get(path);
    const isGroup = [...SETTINGS.keys()].some((known) => known.startsWith(`${path}.`));
    if (OF_THE_PROGRAM.includes(path)) {
      faults.add(`${origin}: is given by the program, not by a file`, path);
    } else if (isGroup && isRecord(value)) {
      takeObject(value, path, file, values, faults);
    } else if (setting === undefined) {
      const near = nearest(path, SETTINGS.keys());
      const why = isGroup
        ? 'must be an object'
        : `no such option${near === null ? '' : `; is ${near} meant?`}`;
      faults.add(`${origin}: ${why}`);
    } else if (value !== null) {
      // `null` is how a file says that an option is not set.
      if (fits(setting, value)) values.set(path, { value, origin });
      else faults.add(`${origin}: ${describeKind(setting.kind)}`, path);
    }
  }
}

/** The contents of a file that a setting names; `null`: it cannot be read, which is a fault. */
export function readText(path: string, origin: string, faults: Faults): string | null {
  try {
    const bytes = readFileSync(path);
    if (bytes.length <= FILE_BYTES_MAX) return bytes.toString('utf8');
    faults.add(`${origin}: the file "${path}" is larger than ${FILE_BYTES_MAX} bytes`);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    faults.add(`${origin}: the file "${path}" cannot be read (${code})`);
  }
  return null;
}

/** `undefined`: the text is none of the kind. */
function parseText({ kind }: Setting, text: string): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'list': {
      const parts = text.split(',').map((part) => part.trim());
      return parts.every((part) => part !== '') ? parts : undefined;
    }
    case 'whole':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
    case 'switch':
      return { true: true, false: false, 1: true, 0: false }[text.toLowerCase()];
    default:
      return kind.includes(text) ? text : undefined;
  }
}

function fits({ kind }: Setting, value: unknown): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string' && value !== '';
    case 'list':
      return Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string');
    case 'whole':
      return Number.isSafeInteger(value);
    case 'switch':
      return typeof value === 'boolean';
    default:
      return typeof value === 'string' && kind.includes(value);
  }
}

/** A mistaken value, where it is no secret. */
function shown({ secret }: Setting, text: string): string {
  if (secret === true || text.length > SHOWN_CHARACTERS_MAX) return '';
  return `, is ${JSON.stringify(text)}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
