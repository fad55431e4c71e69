// Owns which options can be set from outside the program, and as what: the one table behind variables, files and their documentation.
// Options that are functions or objects of the program are not here.

export type SettingKind = 'text' | 'list' | 'whole' | 'switch' | readonly string[];

export interface Setting {
  /** Of the option, as in `StreamsApplicationOptions`; `…File` names a file that holds the option's value. */
  readonly path: string;
  /** A choice is the list of what may be chosen. */
  readonly kind: SettingKind;
  /** Its value is shown nowhere. */
  readonly secret?: boolean;
}

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  state: ['rocksdb', 'memory'],
  processingGuarantee: ['exactly_once', 'at_least_once'],
  compression: ['none', 'gzip', 'lz4', 'zstd'],
  autoOffsetReset: ['earliest', 'latest', 'none'],
  groupProtocol: ['classic', 'streams'],
  onWorkerFailure: ['replace', 'stopClient', 'stopProcess'],
  until: ['stopped', 'latest'],
  'kafka.sasl.mechanism': ['plain', 'scram-sha-256', 'scram-sha-512'],
};

const TEXTS = [
  'applicationId',
  'instanceId',
  'groupInstanceId',
  'applicationServer',
  'rack',
  'stateDir',
  'kafka.clientId',
  'kafka.ssl.caFile',
  'kafka.ssl.certFile',
  'kafka.ssl.keyFile',
  'kafka.ssl.passphraseFile',
  'kafka.ssl.servername',
  'kafka.sasl.username',
  'kafka.sasl.passwordFile',
  'control.host',
  'control.tokenFile',
  'control.tls.caFile',
  'control.tls.certFile',
  'control.tls.keyFile',
];

const SECRETS = ['kafka.ssl.passphrase', 'kafka.sasl.password', 'control.token'];

/** In milliseconds, bytes, or just so many, as the name says. */
const WHOLE_NUMBERS = [
  'commitIntervalMs',
  'epochBytesMax',
  'transactionTimeoutMs',
  'maxTaskIdleMs',
  'bufferedBytesPerPartition',
  'cacheBytesMax',
  'writeBehindBytes',
  'writeBehindIntervalMs',
  'batchBytes',
  'recordBytesMax',
  'replicationFactor',
  'sessionTimeoutMs',
  'heartbeatIntervalMs',
  'rebalanceTimeoutMs',
  'metadataMaxAgeMs',
  'maxBlockedMs',
  'workerReplacementsMax',
  'workerReplacementWindowMs',
  'numStandbys',
  'acceptableRecoveryLag',
  'maxWarmups',
  'probingRebalanceIntervalMs',
  'kafka.connectionTimeout',
  'kafka.authenticationTimeout',
  'kafka.requestTimeout',
  'kafka.maxInFlightRequests',
  'kafka.maxFrameBytes',
  'kafka.maxDecompressedBytes',
  'kafka.retry.initialRetryTime',
  'kafka.retry.maxRetryTime',
  'control.port',
];

const LISTS = ['kafka.brokers', 'control.hostNames'];

/** `kafka.ssl` and `control` are also groups: true is the group with its defaults. */
const SWITCHES = ['kafka.ssl', 'control', 'control.allowActions'];

/** All of them, by path. */
export const SETTINGS: ReadonlyMap<string, Setting> = new Map(
  [
    ...TEXTS.map((path): Setting => ({ path, kind: 'text' })),
    ...SECRETS.map((path): Setting => ({ path, kind: 'text', secret: true })),
    ...WHOLE_NUMBERS.map((path): Setting => ({ path, kind: 'whole' })),
    ...Object.entries(CHOICES).map(([path, kind]): Setting => ({ path, kind })),
    ...LISTS.map((path): Setting => ({ path, kind: 'list' })),
    ...SWITCHES.map((path): Setting => ({ path, kind: 'switch' })),
  ].map((setting) => [setting.path, setting]),
);

/** Options that only the program can give: functions and objects. */
export const OF_THE_PROGRAM: readonly string[] = [
  'topology',
  'logger',
  'onRestore',
  'exitProcess',
  'clock',
  'exceptionHandlers',
  'kafka.sasl.oauthBearerProvider',
];

/** `kafka.sasl.passwordFile` is KAFKA_SASL_PASSWORD_FILE. */
export function variableOf(path: string): string {
  return path
    .replaceAll('.', '_')
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase();
}

/** What a value of the kind must be, for messages. */
export function describeKind(kind: SettingKind): string {
  switch (kind) {
    case 'text':
      return 'must be a text that is not empty';
    case 'list':
      return 'must list at least one text';
    case 'whole':
      return 'must be a whole number';
    case 'switch':
      return 'must be true or false';
    default:
      return `must be one of ${kind.join(', ')}`;
  }
}

/** The known name that a mistaken one is nearest to; `null`: none is near. */
export function nearest(name: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = 3;
  for (const candidate of known) {
    const distance = editDistance(name, candidate, bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
