// Owns the handles on stores as providers. A handle exists from the construction of its application on.
import type { FactoryProvider } from '@nestjs/common';
import type { StreamsApplication } from '#libs/millrace';
import { getStoreToken, getStreamsApplicationToken } from './tokens.ts';

/** What has stores that can be asked: a `StreamsApplication`, or what stands in its place in a test. */
interface WithStores {
  store(name: string): unknown;
}

export function storeProviders(stores: readonly string[], application: string): FactoryProvider[] {
  return stores.map((store) => ({
    provide: getStoreToken(store, application),
    inject: [getStreamsApplicationToken(application)],
    useFactory: (given: StreamsApplication) => (given as unknown as WithStores).store(store),
  }));
}
