// Owns SCRAM (RFC 5802, RFC 7677) as Kafka speaks it: no channel binding, no SASLprep. It holds no connection.
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const pbkdf2Async = promisify(pbkdf2);

const HASHES = {
  'scram-sha-256': { algorithm: 'sha256', keyBytes: 32 },
  'scram-sha-512': { algorithm: 'sha512', keyBytes: 64 },
} as const;

const GS2_HEADER = 'n,,';
/** RFC 7677 asks for 4,096 at least; the upper bound keeps a hostile server from burning this machine's CPU. */
const ITERATIONS_MIN = 4_096;
const ITERATIONS_MAX = 1_000_000;

export type ScramMechanism = keyof typeof HASHES;

/** What the server said does not prove that it knows the user. */
export class ScramFault extends Error {}

/** The client's side of one SCRAM exchange: `first`, then `final` with the server's answer, then `verify`. */
export class ScramClient {
  readonly #hash: (typeof HASHES)[ScramMechanism];
  readonly #password: string;
  readonly #firstBare: string;
  readonly #nonce: string;
  #serverSignature: Buffer | null = null;

  constructor(
    mechanism: ScramMechanism,
    username: string,
    password: string,
    nonce = randomBytes(18).toString('base64url'),
  ) {
    this.#hash = HASHES[mechanism];
    this.#password = password;
    this.#nonce = nonce;
    this.#firstBare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  }

  first(): Buffer {
    return Buffer.from(GS2_HEADER + this.#firstBare);
  }

  /** @throws ScramFault */
  async final(serverFirst: Buffer): Promise<Buffer> {
    const text = serverFirst.toString('utf8');
    const attributes = parseAttributes(text);
    const nonce = attributes.get('r') ?? '';
    const salt = Buffer.from(attributes.get('s') ?? '', 'base64');
    const iterations = Number(attributes.get('i'));
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new ScramFault("the server's nonce does not extend the client's");
    }
    if (salt.length === 0) throw new ScramFault('the server sent no salt');
    if (!Number.isInteger(iterations) || iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX) {
      throw new ScramFault(`the server asks for ${attributes.get('i') ?? 'no number of'} iterations`);
    }
    const { algorithm, keyBytes } = this.#hash;
    const salted = await pbkdf2Async(this.#password, salt, iterations, keyBytes, algorithm);
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(algorithm).update(clientKey).digest();
    const withoutProof = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${nonce}`;
    const authMessage = `${this.#firstBare},${text},${withoutProof}`;
    const clientSignature = this.#hmac(storedKey, authMessage);
    const proof = Buffer.alloc(keyBytes);
    for (let index = 0; index < keyBytes; index++) proof[index] = clientKey[index]! ^ clientSignature[index]!;
    this.#serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), authMessage);
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`);
  }

  /** @throws ScramFault the server does not know the password either. */
  verify(serverFinal: Buffer): void {
    const attributes = parseAttributes(serverFinal.toString('utf8'));
    const error = attributes.get('e');
    if (error !== undefined) throw new ScramFault(`the server refuses: ${error}`);
    const signature = Buffer.from(attributes.get('v') ?? '', 'base64');
    const expected = this.#serverSignature;
    if (expected === null || signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new ScramFault('the server does not prove that it knows the password');
    }
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash.algorithm, key).update(text).digest();
  }
}

function parseAttributes(text: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    if (equals > 0) attributes.set(part.slice(0, equals), part.slice(equals + 1));
  }
  return attributes;
}
