// Owns the shape of an API's codec. Codecs translate between the port's messages and bytes; they hold no state and decide
// nothing. Each speaks exactly the versions from what Kafka 3.9 offers (the floor) to what the messages need.
import type { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';

export interface Codec<Request, Answer> {
  readonly name: string;
  readonly apiKey: number;
  /** The version Kafka 3.9 speaks at best, or an older one where clients stay below; a broker that ends before is refused. */
  readonly minVersion: number;
  readonly maxVersion: number;
  /** The exact version a request asks for; absent: the highest both sides speak. */
  version?(request: Request): number;
  encode(writer: Writer, request: Request, version: number): void;
  decode(reader: Reader, version: number): Answer;
  /** Absent: every request is answered. */
  unanswered?(request: Request): Answer | undefined;
  /** Flexible request header (v2) and answer header (v1). False for SaslHandshake alone. */
  readonly flexible?: false;
  /** ApiVersions answers with the oldest header, so that any client can read it. */
  readonly plainAnswerHeader?: true;
}
