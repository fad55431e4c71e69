// Owns `@InjectStreamsApplication()`.
import { Inject } from '@nestjs/common';
import { getStreamsApplicationToken } from '../tokens.ts';

/** Injects the `StreamsApplication` of a name; without one that of the unnamed `MillraceModule.forRoot`. */
export const InjectStreamsApplication = (name?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getStreamsApplicationToken(name));
