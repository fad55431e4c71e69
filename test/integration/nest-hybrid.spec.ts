// Specifies Millrace beside NestJS's own Kafka transport, and two applications in one process.
import 'reflect-metadata';
import { Controller, Injectable, Module } from '@nestjs/common';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload, Transport } from '@nestjs/microservices';
import type { KafkaContext, MicroserviceOptions } from '@nestjs/microservices';
import { afterEach, expect, it } from '@jest/globals';
import { Consumed, Materialized, Produced, Serdes, StreamsApplication } from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import {
  ExactlyOnceHandler,
  InjectStreamsApplication,
  MillraceHealthIndicator,
  MillraceModule,
  Topology,
  getStreamsApplicationToken,
} from '#libs/nestjs';
import type { HandlerOutput, TopologyClass } from '#libs/nestjs';
import { publish, textsOf } from '../support/bad-input.ts';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import type { SharedBroker } from '../support/broker.ts';
import { createTopics } from '../support/topics.ts';

const text = Serdes.string();

function optionsOf(broker: SharedBroker, applicationId: string): object {
  return {
    applicationId,
    kafka: { brokers: broker.bootstrapServers },
    state: 'memory',
    instanceId: 'one',
    commitIntervalMs: 20,
  };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describeWithBroker('a hybrid application', (broker) => {
  let application: INestApplicationContext | null = null;
  afterEach(() => application?.close());

  it('runs topologies beside Nest’s Kafka transport: each has its group, and one hears what the other publishes', async () => {
    const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('app')];
    await createTopics(broker().bootstrapServers[0]!, [{ topic: input, numPartitions: 2 }]);
    await createTopics(broker().bootstrapServers[0]!, [{ topic: output, numPartitions: 2 }]);
    const heard: string[] = [];

    @Injectable()
    class Greeting {
      of(name: string): string {
        return `hello ${name}`;
      }
    }

    @Topology()
    class GreetTopology implements TopologyClass {
      constructor(private readonly greeting: Greeting) {}

      build(builder: StreamsBuilder): void {
        builder
          .stream(input, Consumed.with(text, text))
          .mapValues((name) => this.greeting.of(name))
          .to(output, Produced.with(text, text));
      }
    }

    @Controller()
    class Greetings {
      // The same class of the same module serves both.
      constructor(private readonly greeting: Greeting) {}

      @EventPattern(output)
      onGreeting(@Payload() text: unknown, @Ctx() context: unknown): void {
        heard.push(`${String((context as KafkaContext).getMessage().key)}: ${String(text)}`);
        expect(this.greeting).toBeDefined();
      }
    }

    @Module({
      imports: [MillraceModule.forRoot(optionsOf(broker(), applicationId) as never)],
      controllers: [Greetings],
      providers: [Greeting, GreetTopology],
    })
    class AppModule {}

    const created = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    application = created;
    created.connectMicroservice<MicroserviceOptions>({
      transport: Transport.KAFKA,
      options: {
        client: { brokers: [...broker().bootstrapServers], clientId: 'transport' },
        consumer: { groupId: uniqueName('transport'), allowAutoTopicCreation: false },
        subscribe: { fromBeginning: true },
        postfixId: '',
      },
    });
    await created.startAllMicroservices();
    await created.listen(0, '127.0.0.1');
    const streams = created.get(StreamsApplication);
    await streams.whenRunning();
    await publish(broker(), input, [
      { key: 'a', value: 'ann' },
      { key: 'b', value: 'bob' },
    ]);
    await until(() => heard.length === 2);
    expect(heard.sort()).toEqual(['a: hello ann', 'b: hello bob']);
    await created.close();
    expect(streams.state).toBe('NOT_RUNNING');
  });

  it('may be two applications, one behind the other, each with its own group, state and health', async () => {
    const [orders, paid, totals] = [uniqueName('orders'), uniqueName('paid'), uniqueName('totals')];
    for (const topic of [orders, paid, totals])
      await createTopics(broker().bootstrapServers[0]!, [{ topic, numPartitions: 2 }]);
    const [salesId, billingId] = [uniqueName('sales'), uniqueName('billing')];

    @Injectable()
    class Sales {
      @ExactlyOnceHandler(orders, { outputs: { [paid]: Produced.with(text, Serdes.float64()) } })
      onOrder({ amount }: { amount: number }): HandlerOutput {
        return { value: amount * 2 };
      }
    }

    @Topology({ application: 'billing' })
    class BillingTopology implements TopologyClass {
      build(builder: StreamsBuilder): void {
        builder
          .stream(paid, Consumed.with(text, Serdes.float64()))
          .groupByKey()
          .reduce((sum, amount) => sum + amount, Materialized.as('totals'))
          .toStream()
          .to(totals, Produced.with(text, Serdes.json<number>()));
      }
    }

    @Injectable()
    class Both {
      constructor(
        @InjectStreamsApplication() readonly sales: StreamsApplication,
        @InjectStreamsApplication('billing') readonly billing: StreamsApplication,
      ) {}
    }

    @Module({
      imports: [
        MillraceModule.forRoot(optionsOf(broker(), salesId) as never),
        MillraceModule.forRoot({ ...optionsOf(broker(), billingId), name: 'billing' } as never),
        MillraceModule.forFeature([Sales, BillingTopology]),
      ],
      providers: [Both],
    })
    class AppModule {}

    const context = await NestFactory.createApplicationContext(AppModule, {
      logger: false,
      abortOnError: false,
    });
    application = context;
    const { sales, billing } = context.get(Both);
    expect([sales.applicationId, billing.applicationId]).toEqual([salesId, billingId]);
    expect(context.get<unknown>(getStreamsApplicationToken('billing'))).toBe(billing);
    await Promise.all([sales.whenRunning(), billing.whenRunning()]);
    const health = context.get(MillraceHealthIndicator);
    expect(health.isReady('ready').ready.runningTasks).toBe(2);
    expect(health.isReady('ready', 'billing').ready.runningTasks).toBe(2);

    await publish(broker(), orders, [
      { key: 'ann', value: '{"amount":1}' },
      { key: 'ann', value: '{"amount":4}' },
    ]);
    await until(async () => (await textsOf(broker(), totals)).length === 2);
    expect((await textsOf(broker(), totals)).map(({ key, value }) => [key, value])).toEqual([
      ['ann', '2'],
      ['ann', '10'],
    ]);
    await until(
      () => health.isWithinLag('lag', { recordsMax: 0, application: 'billing' }).lag.status === 'up',
    );
    // One may end without the other.
    await sales.stop();
    expect([sales.state, billing.state]).toEqual(['NOT_RUNNING', 'RUNNING']);
    await context.close();
    expect(billing.state).toBe('NOT_RUNNING');
  });
});
