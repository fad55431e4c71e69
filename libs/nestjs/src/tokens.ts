// Owns the injection tokens. Users get them by the helpers, never by their text.
import { StreamsApplication } from '#libs/millrace';

export const DEFAULT_APPLICATION = 'default';

/** What a `MillraceModule` is called: one such provider per application. */
export const APPLICATION_NAME = Symbol('millrace application name');

/** Token of an application's `StreamsApplication`: the class itself for the unnamed one. */
export function getStreamsApplicationToken(
  name: string = DEFAULT_APPLICATION,
): typeof StreamsApplication | string {
  return name === DEFAULT_APPLICATION ? StreamsApplication : `${name}StreamsApplication`;
}

/** Token of the handle on a store, as `MillraceModule.forFeature({ stores })` provides it. */
export function getStoreToken(store: string, application: string = DEFAULT_APPLICATION): string {
  return `${application}Store:${store}`;
}

/** Token of an application's producer. */
export function getProducerToken(application: string = DEFAULT_APPLICATION): string {
  return `${application}RecordProducer`;
}

/** The log's context of an application's lines. */
export function logContext(name: string): string {
  return name === DEFAULT_APPLICATION ? 'Millrace' : `Millrace:${name}`;
}
