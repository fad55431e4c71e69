// Owns the agreement on API versions with one broker: the highest both sides speak, never below Kafka 3.9.
import type { ApiName } from '#libs/broker';
import { FatalError } from '#libs/core';
import { API_NAMES, CODECS, type Codec } from '../codecs/index.ts';
import { UNSUPPORTED_VERSION, type ApiVersionsAnswer } from '../codecs/handshake.ts';
import { formatBrokerAddress, type BrokerAddress } from './address.ts';
import { brokerTooOld, protocolError } from './faults.ts';

/** APIs no broker of 3.9 goes without; the others may be switched off (e.g. DeleteTopics). */
const REQUIRED: readonly ApiName[] = [
  'Metadata',
  'FindCoordinator',
  'Produce',
  'Fetch',
  'ListOffsets',
  'InitProducerId',
];

export interface BrokerVersions {
  /** Highest version both sides speak. Absent: the broker lacks the API. */
  readonly highest: Readonly<Partial<Record<ApiName, number>>>;
  /** Finalised level of the feature `transaction.version`; 0 when the broker does not know it. */
  readonly transactionVersion: number;
  /** Finalised level of the feature `streams.version`; 0 when the broker does not know it. */
  readonly streamsVersion: number;
}

/** @throws FatalError MILLRACE_BROKER_TOO_OLD, MILLRACE_PROTOCOL_ERROR. */
export function agreeOnVersions(address: BrokerAddress, answer: ApiVersionsAnswer): BrokerVersions {
  if (answer.errorCode === UNSUPPORTED_VERSION) {
    throw brokerTooOld(address, ['it does not know ApiVersions 4']);
  }
  if (answer.errorCode !== 0) {
    throw protocolError(address, `ApiVersions was answered with error code ${answer.errorCode}`);
  }
  const offered = new Map(answer.apiKeys.map((api) => [api.apiKey, api]));
  const highest: Partial<Record<ApiName, number>> = {};
  const lacking: string[] = [];
  for (const name of API_NAMES) {
    const codec = CODECS[name];
    const range = offered.get(codec.apiKey);
    if (range === undefined) {
      if (REQUIRED.includes(name)) lacking.push(`it lacks ${name}`);
      continue;
    }
    if (range.maxVersion < codec.minVersion) {
      lacking.push(`it speaks ${name} up to version ${range.maxVersion}, ${codec.minVersion} is needed`);
      continue;
    }
    if (range.minVersion > codec.maxVersion) {
      throw protocolError(
        address,
        `it speaks ${name} from version ${range.minVersion} only, this release of Millrace up to ${codec.maxVersion}`,
      );
    }
    highest[name] = Math.min(range.maxVersion, codec.maxVersion);
  }
  if (lacking.length > 0) throw brokerTooOld(address, lacking);
  return {
    highest,
    transactionVersion: answer.finalizedFeatures.get('transaction.version') ?? 0,
    streamsVersion: answer.finalizedFeatures.get('streams.version') ?? 0,
  };
}

/** The version to send `request` in. @throws FatalError the broker does not speak it. */
export function versionFor<Request>(
  address: BrokerAddress,
  versions: BrokerVersions,
  api: ApiName,
  codec: Codec<Request, unknown>,
  request: Request,
): number {
  const highest = versions.highest[api];
  const wanted = codec.version?.(request) ?? highest;
  if (highest === undefined || wanted === undefined || wanted > highest) {
    throw new FatalError({
      code: 'MILLRACE_BROKER_TOO_OLD',
      message: `Broker ${formatBrokerAddress(address)} does not speak ${api}${wanted === undefined ? '' : ` version ${wanted}`}.`,
      remedy: 'Finish the upgrade of the cluster, or switch the API on in the broker.',
      context: { broker: formatBrokerAddress(address), api },
    });
  }
  return wanted;
}
