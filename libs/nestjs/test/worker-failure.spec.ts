// What the policy for workers that die does in a Nest application, without a broker.
import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Consumed, Serdes, SimulatedKafka, StreamsApplication, silentLogger } from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import { MillraceModule, Topology } from '#libs/nestjs';
import type { MillraceModuleOptions } from '#libs/nestjs';
import { silentNestLogger } from './fake-application.ts';

@Topology()
class PoisonedTopology {
  build(builder: StreamsBuilder): void {
    const text = Serdes.string();
    builder
      .stream('in', Consumed.with(text, text))
      .mapValues((): string => {
        throw new Error('never');
      })
      .to('out', { keySerde: text, valueSerde: text });
  }
}

let exitCode: typeof process.exitCode;
beforeEach(() => {
  exitCode = process.exitCode;
});
afterEach(() => {
  jest.restoreAllMocks();
  process.exitCode = exitCode;
});

async function ended(options: Partial<MillraceModuleOptions>): Promise<void> {
  const kafka = new SimulatedKafka();
  kafka.createTopic('in', 1);
  kafka.createTopic('out', 1);
  kafka.publish('in', [{ key: 'a', value: 'poison' }]);
  const module = await Test.createTestingModule({
    imports: [
      MillraceModule.forRoot({
        applicationId: 'poisoned',
        kafka,
        state: 'memory',
        instanceId: 'one',
        logger: silentLogger,
        ...options,
      }),
    ],
    providers: [PoisonedTopology],
  })
    .setLogger(silentNestLogger)
    .compile();
  await module.init();
  await expect(module.get(StreamsApplication, { strict: false }).whenEnded()).rejects.toMatchObject({
    code: 'MILLRACE_PROCESSING_FAILED',
  });
  await module.close();
}

it('asks Nest for the end of the process, by a signal that runs its shutdown hooks, under stopProcess', async () => {
  const kill = jest.spyOn(process, 'kill').mockReturnValue(true);
  await ended({ onWorkerFailure: () => 'stopProcess' });
  expect(kill.mock.calls).toEqual([[process.pid, 'SIGTERM']]);
  expect(process.exitCode).toBe(1);
});

it('leaves the end of the process to who wants it otherwise', async () => {
  const kill = jest.spyOn(process, 'kill').mockReturnValue(true);
  const exitProcess = jest.fn<() => void>();
  await ended({ onWorkerFailure: 'stopProcess', exitProcess });
  expect([kill.mock.calls.length, exitProcess.mock.calls.length]).toEqual([0, 1]);
});

it('ends no process under stopClient', async () => {
  const kill = jest.spyOn(process, 'kill').mockReturnValue(true);
  await ended({});
  expect(kill).not.toHaveBeenCalled();
});
