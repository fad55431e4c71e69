// Owns what of an application's configuration may be shown to others, in logs or over HTTP. It goes by what is known to be harmless, and
// leaves out the rest: an option that nobody thought of is not shown, whatever it holds.
import type { RuntimeConfig } from '#libs/runtime';
import type { KafkaConnection } from './connect.ts';
import type { ResolvedOptions } from './options.ts';
import { isSimulated } from './simulated-kafka.ts';

/** In the place of what is set and not shown. */
export const NOT_SHOWN = '(set, not shown)';

/** Options whose text is a name or a choice. Text of any other option is not shown. */
const NAMES: ReadonlySet<string> = new Set([
  'applicationId',
  'instanceId',
  'processingGuarantee',
  'compression',
  'autoOffsetReset',
  'groupProtocol',
  'groupInstanceId',
  'rack',
  'until',
  'onWorkerFailure',
]);

const NAME = /^[\w.:/ -]{0,300}$/;
/** Host names, addresses and ports; nothing with a user or a password before an at sign. */
const BROKER = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?$/;
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'];

export type ShownValue =
  string | number | boolean | null | readonly ShownValue[] | { readonly [name: string]: ShownValue };

/** JSON-safe. */
export function shownConfiguration(
  resolved: ResolvedOptions,
  runtime: RuntimeConfig,
): Record<string, ShownValue> {
  const shown: Record<string, ShownValue> = {};
  for (const [name, value] of Object.entries(runtime)) shown[name] = shownOption(name, value);
  return {
    ...shown,
    exceptionHandlers: shownHandlers(runtime.exceptionHandlers),
    state: resolved.state,
    stateDir: resolved.stateDir,
    kafka: shownKafka(resolved.kafka),
  };
}

function shownOption(name: string, value: unknown): ShownValue {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'function') return '(function)';
  if (typeof value === 'string' && NAMES.has(name) && NAME.test(value)) return value;
  return NOT_SHOWN;
}

/** The names of functions are the user's own; that there is one is what matters. */
function shownHandlers(handlers: object): ShownValue {
  return Object.fromEntries(Object.keys(handlers).map((stage) => [stage, '(function)']));
}

function shownKafka(kafka: KafkaConnection): ShownValue {
  if (isSimulated(kafka)) return { simulated: true };
  const { brokers, clientId, ssl, sasl } = kafka;
  const numbers = Object.fromEntries(Object.entries(kafka).filter(([, value]) => typeof value === 'number'));
  return {
    ...numbers,
    brokers:
      typeof brokers === 'function' ? '(function)' : brokers.map((broker) => shownText(broker, BROKER)),
    clientId: clientId === undefined ? null : shownText(clientId, NAME),
    ssl: typeof ssl === 'object' ? NOT_SHOWN : (ssl ?? false),
    sasl:
      sasl === undefined
        ? null
        : { mechanism: MECHANISMS.includes(sasl.mechanism) ? sasl.mechanism : NOT_SHOWN },
  };
}

function shownText(text: unknown, shape: RegExp): string {
  return typeof text === 'string' && shape.test(text) ? text : NOT_SHOWN;
}
