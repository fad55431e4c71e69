// Specifies MillraceModule with a real broker in the three kinds of Nest applications, as their users write them.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { expect, it } from '@jest/globals';
import { Consumed, Produced, Serdes, StreamsApplication } from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import { MillraceHealthIndicator, MillraceModule, Topology } from '#libs/nestjs';
import { publish, textsOf } from '../support/bad-input.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { createTopics } from '../support/topics.ts';

@Injectable()
class Shout {
  of(text: string): string {
    return text.toUpperCase();
  }
}

describeWithBroker('MillraceModule with a broker', (broker) => {
  async function moduleOf(): Promise<{ module: new () => object; input: string; output: string }> {
    const [input, output] = [uniqueName('in'), uniqueName('out')];
    await createTopics(
      broker().bootstrapServers[0]!,
      [input, output].map((topic) => ({ topic, numPartitions: 1 })),
    );

    @Topology()
    class ShoutTopology {
      constructor(private readonly shout: Shout) {}

      build(builder: StreamsBuilder): void {
        const text = Serdes.string();
        builder
          .stream<string, string>(input, Consumed.with(text, text))
          .mapValues((value) => this.shout.of(value))
          .to(output, Produced.with(text, text));
      }
    }

    @Module({
      imports: [
        TerminusModule.forRoot({ logger: false }),
        MillraceModule.forRoot({
          applicationId: uniqueName('app'),
          kafka: { brokers: broker().bootstrapServers },
          state: 'memory',
          instanceId: 'one',
        }),
      ],
      providers: [Shout, ShoutTopology],
    })
    class AppModule {}
    return { module: AppModule, input, output };
  }

  it.each<[string, (module: new () => object) => Promise<INestApplicationContext>]>([
    [
      'an HTTP application',
      async (module) => {
        const application = await NestFactory.create(module, { logger: false, abortOnError: false });
        await application.listen(0, '127.0.0.1');
        return application;
      },
    ],
    [
      'an application context',
      (module) => NestFactory.createApplicationContext(module, { logger: false, abortOnError: false }),
    ],
    [
      'an application with a microservice beside it',
      async (module) => {
        const application = await NestFactory.create(module, { logger: false, abortOnError: false });
        application.connectMicroservice({
          transport: Transport.TCP,
          options: { host: '127.0.0.1', port: 0 },
        });
        await application.startAllMicroservices();
        await application.listen(0, '127.0.0.1');
        return application;
      },
    ],
  ])('processes, is healthy, and commits what it has processed as it closes: %s', async (_kind, create) => {
    const { module, input, output } = await moduleOf();
    const application = await create(module);
    const streams = application.get(StreamsApplication);
    await streams.whenRunning();

    const indicator = application.get(MillraceHealthIndicator);
    const health = await application
      .get(HealthCheckService)
      .check([() => indicator.isAlive('alive'), () => indicator.isReady('ready')]);
    expect(health.status).toBe('ok');
    expect(health.details).toMatchObject({
      alive: { status: 'up' },
      ready: { state: 'RUNNING', runningTasks: 1 },
    });

    await publish(broker(), input, [{ key: 'a', value: 'hello' }]);
    while ((streams.figures?.processedRecords ?? 0) === 0)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await application.close();
    expect(streams.state).toBe('NOT_RUNNING');
    expect(await textsOf(broker(), output)).toMatchObject([{ key: 'a', value: 'HELLO' }]);
  });

  it('does not come up when a topic is missing, and says which', async () => {
    @Topology()
    class MissingTopology {
      build(builder: StreamsBuilder): void {
        builder
          .stream<string, string>('not-there', Consumed.with(Serdes.string(), Serdes.string()))
          .to('nor-this');
      }
    }
    @Module({
      imports: [
        MillraceModule.forRoot({
          applicationId: uniqueName('app'),
          kafka: { brokers: broker().bootstrapServers },
          state: 'memory',
          instanceId: 'one',
        }),
      ],
      providers: [MissingTopology],
    })
    class AppModule {}
    await expect(
      NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false }),
    ).rejects.toMatchObject({
      code: 'MILLRACE_TOPIC_MISSING',
      message: expect.stringContaining('not-there'),
    });
  });
});
