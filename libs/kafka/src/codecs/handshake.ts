// Codecs of what a connection says before it serves calls: ApiVersions, SaslHandshake, SaslAuthenticate.
import type { Codec } from './codec.ts';

/** Kafka's error code UNSUPPORTED_VERSION. */
export const UNSUPPORTED_VERSION = 35;

export interface ApiVersionsRequest {
  readonly clientSoftwareName: string;
  readonly clientSoftwareVersion: string;
}

export interface ApiVersionsAnswer {
  readonly errorCode: number;
  readonly apiKeys: readonly { apiKey: number; minVersion: number; maxVersion: number }[];
  /** Finalised levels by feature name. */
  readonly finalizedFeatures: ReadonlyMap<string, number>;
}

export const apiVersions: Codec<ApiVersionsRequest, ApiVersionsAnswer> = {
  name: 'ApiVersions',
  apiKey: 18,
  minVersion: 4,
  maxVersion: 4,
  plainAnswerHeader: true,
  encode(writer, request) {
    writer.string(request.clientSoftwareName).string(request.clientSoftwareVersion).noTags();
  },
  decode(reader) {
    const errorCode = reader.int16();
    const finalizedFeatures = new Map<string, number>();
    if (errorCode === UNSUPPORTED_VERSION) {
      // A broker that lacks the version asked for answers with version 0.
      const apiKeys = reader.legacyArray(() => ({
        apiKey: reader.int16(),
        minVersion: reader.int16(),
        maxVersion: reader.int16(),
      }));
      return { errorCode, apiKeys, finalizedFeatures };
    }
    const apiKeys = reader.array(() => {
      const api = { apiKey: reader.int16(), minVersion: reader.int16(), maxVersion: reader.int16() };
      reader.tags();
      return api;
    });
    reader.int32(); // throttle time
    reader.tags((tag) => {
      if (tag !== 2) return;
      reader.array(() => {
        const name = reader.string();
        finalizedFeatures.set(name, reader.int16());
        reader.int16(); // lowest level
        reader.tags();
      });
    });
    return { errorCode, apiKeys, finalizedFeatures };
  },
};

export interface SaslHandshakeRequest {
  readonly mechanism: string;
}

export interface SaslHandshakeAnswer {
  readonly errorCode: number;
  readonly mechanisms: readonly string[];
}

export const saslHandshake: Codec<SaslHandshakeRequest, SaslHandshakeAnswer> = {
  name: 'SaslHandshake',
  apiKey: 17,
  minVersion: 1,
  maxVersion: 1,
  flexible: false,
  encode(writer, request) {
    writer.legacyString(request.mechanism);
  },
  decode: (reader) => ({
    errorCode: reader.int16(),
    mechanisms: reader.legacyArray(() => reader.legacyString()),
  }),
};

export interface SaslAuthenticateRequest {
  readonly authBytes: Uint8Array;
}

export interface SaslAuthenticateAnswer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly authBytes: Buffer;
  /** 0: the session does not end (KIP-368). */
  readonly sessionLifetimeMs: number;
}

export const saslAuthenticate: Codec<SaslAuthenticateRequest, SaslAuthenticateAnswer> = {
  name: 'SaslAuthenticate',
  apiKey: 36,
  minVersion: 2,
  maxVersion: 2,
  encode(writer, request) {
    writer.bytes(request.authBytes).noTags();
  },
  decode(reader) {
    const answer = {
      errorCode: reader.int16(),
      errorMessage: reader.nullableString(),
      authBytes: reader.bytes(),
      sessionLifetimeMs: reader.int64(),
    };
    reader.tags();
    return answer;
  },
};
