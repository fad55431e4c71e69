// Owns `@InjectProducer()`.
import { Inject } from '@nestjs/common';
import { getProducerToken } from '../tokens.ts';

/** Injects the `RecordProducer` of an application: for what is published outside of its topologies. */
export const InjectProducer = (application?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getProducerToken(application));
