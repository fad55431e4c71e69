// Owns the way to what @kafkajs/confluent-schema-registry brings along: the copies of ajv and protobufjs that it was released with.
import { createRequire } from 'node:module';

/** They are large: each is loaded with the first schema that needs it. */
export function libraryRequire(path: string): unknown {
  const own = createRequire(import.meta.url);
  return createRequire(own.resolve('@kafkajs/confluent-schema-registry'))(path);
}
