// The process that is deployed. It is told by variables where Kafka is: MILLRACE_KAFKA_BROKERS, MILLRACE_STATE_DIR, EXCHANGE_RATES, PORT, …
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { StreamsApplication } from '#libs/millrace';
import { MillraceControl } from '#libs/nestjs';
import { OrdersPaymentsModule } from './orders-payments.module.ts';

const service = await NestFactory.create(OrdersPaymentsModule.forRoot(), {
  logger: ['log', 'warn', 'error', 'fatal'],
});
// On SIGTERM: commit what is processed, hand the tasks over, leave.
service.enableShutdownHooks();
await service.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');
await service.get(StreamsApplication).whenRunning();
const dashboard = service.get(MillraceControl).url;
if (dashboard !== null) process.stdout.write(`dashboard at ${dashboard}\n`);
process.stdout.write(`RUNNING at ${await service.getUrl()}\n`);

// With MILLRACE_UNTIL=latest it ends by itself, when all that was there at its start is processed.
await service.get(StreamsApplication).whenEnded();
await service.close();
