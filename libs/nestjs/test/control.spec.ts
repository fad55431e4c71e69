// Specifies the options of MillraceModule for being seen: the control server of all applications, and what is registered with OpenTelemetry.
import 'reflect-metadata';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Injectable, Module } from '@nestjs/common';
import type { BeforeApplicationShutdown, DynamicModule, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Consumed, Grouped, Materialized, Serdes, SimulatedKafka, StreamsApplication } from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import { MillraceControl, MillraceModule, Topology } from '#libs/nestjs';
import type { MillraceModuleOptions } from '#libs/nestjs';
import { silentNestLogger } from './fake-application.ts';

const text = Serdes.string();

@Topology()
class Counting {
  build(builder: StreamsBuilder): void {
    builder
      .stream('words', Consumed.with(text, text))
      .groupByKey(Grouped.with(text, text))
      .count(Materialized.as('counts', { keySerde: text }));
  }
}

@Topology({ application: 'other' })
class Copying {
  build(builder: StreamsBuilder): void {
    builder.stream('words', Consumed.with(text, text)).to('copies');
  }
}

let kafka: SimulatedKafka;
let module: TestingModule | null;
let exitCode: typeof process.exitCode;

beforeEach(() => {
  kafka = new SimulatedKafka();
  for (const topic of ['words', 'copies']) kafka.createTopic(topic, 1);
  module = null;
  exitCode = process.exitCode;
});

afterEach(async () => {
  await module?.close();
  process.exitCode = exitCode;
});

function options(applicationId: string, more: Partial<MillraceModuleOptions> = {}): MillraceModuleOptions {
  const { kafka: connection, clock } = kafka.host(applicationId);
  return {
    ...{ applicationId, kafka: connection, clock, instanceId: 'one', state: 'memory', drainOnSignals: false },
    ...more,
  };
}

function compiled(imports: DynamicModule[], providers: Type[] = [Counting]): Promise<TestingModule> {
  @Module({ imports, providers })
  class AppModule {}
  return Test.createTestingModule({ imports: [AppModule] })
    .setLogger(silentNestLogger)
    .compile();
}

async function started(imports: DynamicModule[], providers?: Type[]): Promise<TestingModule> {
  module = await compiled(imports, providers);
  return module.init();
}

const urlOf = (given: TestingModule): string => given.get(MillraceControl, { strict: false }).url!;
const idsOf = async (url: string): Promise<string[]> => {
  const { applications } = (await (await fetch(`${url}/v1/applications`)).json()) as {
    applications: { applicationId: string }[];
  };
  return applications.map(({ applicationId }) => applicationId).sort();
};

describe('the control server of a module', () => {
  it('serves all applications of the Nest application, with queries over HTTP, until they have drained', async () => {
    const states: unknown[] = [];

    @Injectable()
    class LastLook implements BeforeApplicationShutdown {
      constructor(private readonly control: MillraceControl) {}
      async beforeApplicationShutdown(): Promise<void> {
        states.push(await idsOf(this.control.url!));
      }
    }
    const nest = await started(
      [
        MillraceModule.forRoot(options('counting', { control: { port: 0 } })),
        MillraceModule.forRoot({ name: 'other', ...options('copying') }),
      ],
      [Counting, Copying, LastLook],
    );
    const url = urlOf(nest);
    expect(await idsOf(url)).toEqual(['copying', 'counting']);
    kafka.publish('words', [{ key: 'mill', value: '1', timestamp: 0 }]);
    const ask = async (): Promise<{ entry?: { value: number } }> =>
      (await (await fetch(`${url}/v1/applications/counting/stores/counts/keys/mill`)).json()) as object;
    while ((await ask()).entry?.value !== 1) await new Promise((resolve) => setTimeout(resolve, 20));
    await nest.close();
    expect(states).toEqual([['copying', 'counting']]);
    await expect(fetch(url)).rejects.toThrow();
    expect(nest.get(MillraceControl, { strict: false }).url).toBeNull();
  });

  it('is not there unless it is asked for', async () => {
    expect(urlOf(await started([MillraceModule.forRoot(options('counting'))]))).toBeNull();
  });

  it('takes its options from a factory, and shows its faults when the module is compiled', async () => {
    const useFactory = (): MillraceModuleOptions =>
      options('counting', { control: { host: '0.0.0.0', port: 0 } });
    await expect(compiled([MillraceModule.forRootAsync({ useFactory })])).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_CONFIG',
      message: expect.stringContaining('needs token'),
    });
  });

  it('is refused where the address is taken, before the application joins its group', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    try {
      const nest = await compiled([MillraceModule.forRoot(options('counting', { control: { port } }))]);
      await expect(nest.init()).rejects.toMatchObject({
        code: 'MILLRACE_INVALID_CONFIG',
        message: expect.stringContaining(`127.0.0.1:${port}`),
      });
    } finally {
      taken.close();
    }
  });

  it('is given to one application', async () => {
    const nest = await compiled(
      [
        MillraceModule.forRoot(options('counting', { control: { port: 0 } })),
        MillraceModule.forRoot({ name: 'other', ...options('copying', { control: { port: 0 } }) }),
      ],
      [Counting, Copying],
    );
    await expect(nest.init()).rejects.toMatchObject({ code: 'MILLRACE_INVALID_CONFIG' });
    await nest.close().catch(() => undefined);
  });

  it('closes again where its application does not start', async () => {
    const nest = await compiled(
      [MillraceModule.forRoot(options('counting', { control: { port: 0 } }))],
      [Missing],
    );
    await expect(nest.init()).rejects.toMatchObject({ code: 'MILLRACE_TOPIC_MISSING' });
    expect(nest.get(MillraceControl, { strict: false }).url).toBeNull();
  });
});

@Topology()
class Missing {
  build(builder: StreamsBuilder): void {
    builder.stream('not-there', Consumed.with(text, text)).to('copies');
  }
}

describe('the metrics of a module', () => {
  it('are registered from the start to the end', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 });
    const meterProvider = new MeterProvider({ readers: [reader] });
    const namesOf = async (): Promise<string[]> => {
      exporter.reset();
      await reader.forceFlush();
      return exporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics)
        .flatMap(({ metrics }) => metrics)
        .filter(({ dataPoints }) => dataPoints.length > 0)
        .map(({ descriptor }) => descriptor.name);
    };
    const nest = await started([MillraceModule.forRoot(options('counting', { metrics: { meterProvider } }))]);
    expect(await namesOf()).toContain('millrace.client.state');
    await nest.close();
    const insight = jest.spyOn(nest.get(StreamsApplication, { strict: false }), 'insight');
    await namesOf();
    expect(insight).not.toHaveBeenCalled();
    await meterProvider.shutdown();
  });
});
