// Owns the golden messages: bytes that Apache Kafka's own generated classes wrote (see fixtures/GoldenMessages.java).
import { readFileSync } from 'node:fs';

interface GoldenMessage {
  readonly message: string;
  readonly version: number;
  readonly hex: string;
}

const MESSAGES = JSON.parse(
  readFileSync(new URL('fixtures/golden-messages.json', import.meta.url), 'utf8'),
) as readonly GoldenMessage[];

/** The bytes of the `occurrence`-th golden message of that name and version. */
export function goldenHex(message: string, version: number, occurrence = 0): string {
  const found = MESSAGES.filter(
    (candidate) => candidate.message === message && candidate.version === version,
  );
  const golden = found[occurrence];
  if (golden === undefined) throw new Error(`no golden ${message} version ${version} #${occurrence}`);
  return golden.hex;
}
