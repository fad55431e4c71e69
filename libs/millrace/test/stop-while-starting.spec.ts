// Specifies a stop while the start still waits for a broker: it is an end like any other, and nothing that went wrong.
import { expect, it } from '@jest/globals';
import { Consumed, Serdes, StreamsApplication, StreamsBuilder } from '#libs/millrace';

it('ends without an error when it is stopped before any broker has answered', async () => {
  const errors: string[] = [];
  const text = Serdes.string();
  const builder = new StreamsBuilder();
  builder.stream('in', Consumed.with(text, text)).to('out');
  const application = new StreamsApplication({
    ...{ applicationId: 'early', instanceId: 'one', state: 'memory', topology: builder },
    kafka: { brokers: ['127.0.0.1:1'] },
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (message) => errors.push(message),
    },
  });
  const starting = application.start();
  while (application.state !== 'REBALANCING') await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  await application.stop();
  await starting;
  expect(application.state).toBe('NOT_RUNNING');
  expect(errors).toEqual([]);
});
