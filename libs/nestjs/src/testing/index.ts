// `millrace/nestjs/testing`: the test driver as a NestJS module. For tests alone; `millrace/nestjs` does not import it.
export { MillraceTestingModule, getTestDriver } from './millrace-testing.module.ts';
export type { MillraceTestingOptions, OverridableModule } from './millrace-testing.module.ts';
export { DriverApplication } from './driver-application.ts';
export { RecordedProducer } from './recorded-producer.ts';
export type { RecordedRecord } from './recorded-producer.ts';
