// Owns the handles on stores as providers. A handle exists from the construction of its application on, and says with each call whether the
// store can be read now.
import type { FactoryProvider } from '@nestjs/common';
import type { StreamsApplication } from '#libs/millrace';
import { getStoreToken, getStreamsApplicationToken } from './tokens.ts';

/** What a store is asked by: `QueryableStore` (default), `QueryableWindowStore`, `QueryableSessionStore`, `QueryableVersionedStore`. */
export type StoreKindName = 'keyValue' | 'window' | 'session' | 'versioned';

/** A store by name; one that is not of a value per key with its kind. */
export type StoreReference = string | { readonly name: string; readonly kind: StoreKindName };

const HANDLES: Readonly<Record<StoreKindName, (application: StreamsApplication, name: string) => unknown>> = {
  keyValue: (application, name) => application.store(name),
  window: (application, name) => application.windowStore(name),
  session: (application, name) => application.sessionStore(name),
  versioned: (application, name) => application.versionedStore(name),
};

export function storeProviders(stores: readonly StoreReference[], application: string): FactoryProvider[] {
  return stores.map((reference) => {
    const { name, kind } =
      typeof reference === 'string' ? { name: reference, kind: 'keyValue' as const } : reference;
    return {
      provide: getStoreToken(name, application),
      inject: [getStreamsApplicationToken(application)],
      useFactory: (given: StreamsApplication) => HANDLES[kind](given, name),
    };
  });
}
