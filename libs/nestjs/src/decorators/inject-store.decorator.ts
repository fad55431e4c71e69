// Owns `@InjectStore()`.
import { Inject } from '@nestjs/common';
import { getStoreToken } from '../tokens.ts';

/** Injects the handle on a store of an application. The store is named in `MillraceModule.forFeature({ stores: […] })` or in `forRoot`. */
export const InjectStore = (store: string, application?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getStoreToken(store, application));
