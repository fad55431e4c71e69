// Owns SASL over Kafka's SaslHandshake and SaslAuthenticate: which messages go to and fro for each mechanism, and what
// their failure means. It never logs or repeats a credential.
import { asError, type FatalError } from '#libs/core';
import type { SaslConfig } from '../config.ts';
import type { Codec } from '../codecs/index.ts';
import { saslAuthenticate, saslHandshake } from '../codecs/handshake.ts';
import type { BrokerAddress } from '../connection/address.ts';
import { authenticationFailed, ConnectionFault } from '../connection/faults.ts';
import { ScramClient, ScramFault } from './scram.ts';

/** One request and its answer on the connection being authenticated, ahead of all calls. */
export type Exchange = <Request, Answer>(codec: Codec<Request, Answer>, request: Request) => Promise<Answer>;

/** Visible ASCII: what is between the fields of the message must not be in one. */
const BEARER_TOKEN = /^[\x21-\x7e]+$/;
/** RFC 7628, section 3.1. */
const EXTENSION_NAME = /^[A-Za-z]+$/;
const EXTENSION_VALUE = /^[\x20-\x7e\t\r\n]*$/;

const UNSUPPORTED_SASL_MECHANISM = 33;
const ILLEGAL_SASL_STATE = 34;

/**
 * Authenticates, or authenticates again (KIP-368).
 * @returns the session's lifetime in milliseconds; 0: it does not end.
 * @throws FatalError MILLRACE_AUTHENTICATION_FAILED the broker refuses. ConnectionFault the token provider failed.
 */
export async function authenticate(
  address: BrokerAddress,
  sasl: SaslConfig,
  exchange: Exchange,
): Promise<number> {
  const refuse = (reason: string, cause?: unknown): FatalError =>
    authenticationFailed(address, sasl.mechanism, reason, cause);
  // The token is asked for first: its provider may be slow, and the broker waits once the handshake is begun.
  const token = sasl.mechanism === 'oauthbearer' ? await bearerMessage(sasl.oauthBearerProvider) : null;

  const handshake = await exchange(saslHandshake, { mechanism: sasl.mechanism.toUpperCase() });
  if (handshake.errorCode === UNSUPPORTED_SASL_MECHANISM) {
    throw refuse(`it offers ${handshake.mechanisms.join(', ') || 'no mechanism'}`);
  }
  if (handshake.errorCode === ILLEGAL_SASL_STATE) throw refuse('its listener does not use SASL');
  if (handshake.errorCode !== 0) throw refuse(`the handshake fails with error code ${handshake.errorCode}`);

  const step = async (authBytes: Uint8Array): Promise<{ authBytes: Buffer; sessionLifetimeMs: number }> => {
    const answer = await exchange(saslAuthenticate, { authBytes });
    if (answer.errorCode !== 0) throw refuse(answer.errorMessage ?? `error code ${answer.errorCode}`);
    return answer;
  };

  switch (sasl.mechanism) {
    case 'plain':
      return (await step(Buffer.from(`\0${sasl.username}\0${sasl.password}`))).sessionLifetimeMs;
    case 'scram-sha-256':
    case 'scram-sha-512': {
      const scram = new ScramClient(sasl.mechanism, sasl.username, sasl.password);
      try {
        const first = await step(scram.first());
        const final = await step(await scram.final(first.authBytes));
        scram.verify(final.authBytes);
        return final.sessionLifetimeMs;
      } catch (error) {
        if (error instanceof ScramFault) throw refuse(error.message, error);
        throw error;
      }
    }
    case 'oauthbearer': {
      const answer = await step(token!);
      if (answer.authBytes.length === 0) return answer.sessionLifetimeMs;
      // A challenge instead of success: the refusal. The empty answer makes the broker say so (RFC 7628, section 3.2.3).
      await step(Buffer.from('\x01'));
      throw refuse('it answered the token with a challenge');
    }
  }
}

async function bearerMessage(
  provider: () => Promise<{ value: string; extensions?: Readonly<Record<string, string>> }>,
): Promise<Buffer> {
  let token: { value: string; extensions?: Readonly<Record<string, string>> };
  try {
    token = await provider();
  } catch (error) {
    throw new ConnectionFault(`sasl.oauthBearerProvider failed: ${asError(error).message}`, error);
  }
  if (typeof token?.value !== 'string' || token.value === '') {
    throw new ConnectionFault('sasl.oauthBearerProvider answered no token');
  }
  if (!BEARER_TOKEN.test(token.value))
    throw new ConnectionFault('sasl.oauthBearerProvider answered a token with characters that no token has');
  let extensions = '';
  for (const [key, value] of Object.entries(token.extensions ?? {})) {
    if (!EXTENSION_NAME.test(key) || key === 'auth' || !EXTENSION_VALUE.test(value))
      throw new ConnectionFault(
        'sasl.oauthBearerProvider answered an extension that RFC 7628 does not allow',
      );
    extensions += `${key}=${value}\x01`;
  }
  return Buffer.from(`n,,\x01auth=Bearer ${token.value}\x01${extensions}\x01`);
}
