// Owns the flags by which brokers are reached, and what they mean: the settings of readConfiguration, above variables and file.
import type { Command } from 'commander';
import { FatalError } from '#libs/core';
import { readConfiguration } from '#libs/millrace';
import type { ApplicationConfiguration } from '#libs/millrace';
import type { CliIo } from '../io.ts';

export interface ConnectionOptions {
  readonly bootstrapServer?: string;
  readonly config?: string;
  readonly envPrefix: string;
  readonly clientId?: string;
  readonly requestTimeout?: string;
  readonly ssl?: boolean;
  readonly sslCaFile?: string;
  readonly sslCertFile?: string;
  readonly sslKeyFile?: string;
  readonly sslPassphraseFile?: string;
  readonly sslServername?: string;
  readonly saslMechanism?: string;
  readonly saslUsername?: string;
  readonly saslPasswordFile?: string;
  readonly stateDir?: string;
}

interface Flag {
  readonly name: keyof ConnectionOptions;
  readonly flags: string;
  readonly description: string;
  /** The variable without its prefix. */
  readonly variable: string;
  /** Says the same in another way: not looked at where the flag is given. */
  readonly instead?: string;
}

const FLAGS: readonly Flag[] = [
  {
    name: 'bootstrapServer',
    flags: '-b, --bootstrap-server <host:port,…>',
    description: 'brokers to begin with',
    variable: 'KAFKA_BROKERS',
  },
  {
    name: 'clientId',
    flags: '--client-id <id>',
    description: 'as brokers see it',
    variable: 'KAFKA_CLIENT_ID',
  },
  {
    name: 'requestTimeout',
    flags: '--request-timeout <ms>',
    description: 'longest wait for an answer',
    variable: 'KAFKA_REQUEST_TIMEOUT',
  },
  { name: 'ssl', flags: '--ssl', description: 'TLS, with Node’s authorities', variable: 'KAFKA_SSL' },
  {
    name: 'sslCaFile',
    flags: '--ssl-ca-file <pem>',
    description: 'authority to trust',
    variable: 'KAFKA_SSL_CA_FILE',
  },
  {
    name: 'sslCertFile',
    flags: '--ssl-cert-file <pem>',
    description: 'certificate to show',
    variable: 'KAFKA_SSL_CERT_FILE',
  },
  {
    name: 'sslKeyFile',
    flags: '--ssl-key-file <pem>',
    description: 'its key',
    variable: 'KAFKA_SSL_KEY_FILE',
  },
  {
    name: 'sslPassphraseFile',
    flags: '--ssl-passphrase-file <file>',
    description: 'what opens the key',
    variable: 'KAFKA_SSL_PASSPHRASE_FILE',
    instead: 'KAFKA_SSL_PASSPHRASE',
  },
  {
    name: 'sslServername',
    flags: '--ssl-servername <name>',
    description: 'name in the brokers’ certificate',
    variable: 'KAFKA_SSL_SERVERNAME',
  },
  {
    name: 'saslMechanism',
    flags: '--sasl-mechanism <name>',
    description: 'plain, scram-sha-256 or scram-sha-512',
    variable: 'KAFKA_SASL_MECHANISM',
  },
  {
    name: 'saslUsername',
    flags: '--sasl-username <name>',
    description: 'who asks',
    variable: 'KAFKA_SASL_USERNAME',
  },
  {
    name: 'saslPasswordFile',
    flags: '--sasl-password-file <file>',
    description: 'holds the password',
    variable: 'KAFKA_SASL_PASSWORD_FILE',
    instead: 'KAFKA_SASL_PASSWORD',
  },
];

const STATE_DIR: Flag = {
  name: 'stateDir',
  flags: '--state-dir <folder>',
  description: 'stateDir of the application (default: .millrace/state)',
  variable: 'STATE_DIR',
};

/** For other parts of a service, or for this command itself. */
const OTHERS = ['CONTROL_', 'TEST_', 'REGISTRY_', 'QUERY_'];
const GROUP = 'Connection:';

export function addConnectionOptions(command: Command): Command {
  command.optionsGroup(GROUP);
  for (const { flags, description } of FLAGS) command.option(flags, description);
  return command
    .option('--config <file>', 'JSON file of options, as for an application')
    .option('--env-prefix <prefix>', 'what variables begin with', 'MILLRACE_')
    .optionsGroup('Options:');
}

export function addStateDirOption(command: Command): Command {
  return command.option(STATE_DIR.flags, STATE_DIR.description);
}

/**
 * What applications read by `readConfiguration`, with flags above it. @throws FatalError MILLRACE_INVALID_CONFIG all faults, each by its
 * flag or variable.
 */
export function readConnection(
  io: CliIo,
  options: ConnectionOptions,
  applicationId: string,
): Pick<ApplicationConfiguration, 'kafka' | 'stateDir'> {
  const { envPrefix: prefix } = options;
  const environment: Record<string, string | undefined> = { ...io.environment };
  environment[`${prefix}APPLICATION_ID`] = applicationId;
  for (const { name, variable, instead } of [...FLAGS, STATE_DIR]) {
    const value = options[name];
    if (value === undefined) continue;
    environment[prefix + variable] = String(value);
    if (instead !== undefined) delete environment[prefix + instead];
  }
  try {
    const configuration = readConfiguration({
      environment,
      prefix,
      ignore: OTHERS.map((start) => prefix + start),
      ...(options.config === undefined ? {} : { file: options.config }),
      ...(io.kafka === undefined ? {} : { defaults: { kafka: io.kafka } }),
    });
    const { kafka, stateDir } = configuration;
    return { kafka, ...(stateDir === undefined ? {} : { stateDir }) };
  } catch (error) {
    throw byFlags(error, prefix, options);
  }
}

/** Faults name variables; who gave a flag knows it by that. */
function byFlags(error: unknown, prefix: string, options: ConnectionOptions): unknown {
  if (!(error instanceof FatalError) || error.code !== 'MILLRACE_INVALID_CONFIG') return error;
  const faults = (error.context['faults'] as readonly string[] | undefined) ?? [];
  const known = [...FLAGS, STATE_DIR];
  const named = faults.map((fault) => {
    if (fault.startsWith(`${prefix}APPLICATION_ID`))
      return `the argument application${fault.slice(`${prefix}APPLICATION_ID`.length)}`;
    const flag = known.find(({ variable }) => new RegExp(`^${prefix}${variable}(?![A-Z_])`).test(fault));
    if (flag === undefined) return fault;
    const long = /--[\w-]+/.exec(flag.flags)![0];
    const rest = fault.slice(prefix.length + flag.variable.length);
    return options[flag.name] === undefined ? `${long}, or ${fault}` : `${long}${rest}`;
  });
  return new FatalError({
    code: 'MILLRACE_INVALID_CONFIG',
    message: `The connection cannot be made:${named.map((fault) => `\n  - ${fault}`).join('')}`,
    remedy: 'Correct the named flags and variables.',
    cause: undefined,
    context: { faults: named },
  });
}
