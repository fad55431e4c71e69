// Owns an application's producer as a provider: a client of its own to the application's cluster, opened when it is first used.
import type { InjectionToken, OnApplicationShutdown, Provider } from '@nestjs/common';
import { RecordProducer } from '#libs/millrace';
import type { MillraceModuleOptions } from './millrace-module-options.ts';
import { createNestLogger } from './nest-logger.ts';
import { getProducerToken, logContext } from './tokens.ts';

/** Closes the producer once applications, servers and microservices have ended: until then they may publish. */
class NestRecordProducer extends RecordProducer implements OnApplicationShutdown {
  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }
}

export function producerProviders(name: string, options: InjectionToken): Provider[] {
  return [
    {
      provide: getProducerToken(name),
      inject: [options],
      useFactory: ({
        applicationId,
        kafka,
        compression,
        transactionTimeoutMs,
        recordBytesMax,
        logger,
        clock,
      }: MillraceModuleOptions) =>
        new NestRecordProducer({
          kafka,
          // Its transactional id begins with that of the application: what allows the one allows the other.
          clientId: `${applicationId}-producer`,
          logger: logger ?? createNestLogger(logContext(name)),
          ...(compression === undefined ? {} : { compression }),
          ...(transactionTimeoutMs === undefined ? {} : { transactionTimeoutMs }),
          ...(recordBytesMax === undefined ? {} : { recordBytesMax }),
          ...(clock === undefined ? {} : { clock }),
        }),
    },
  ];
}
