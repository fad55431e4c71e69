// Specifies how topologies are found, and what is said when they are not.
import 'reflect-metadata';
import { Injectable, Scope } from '@nestjs/common';
import type { Provider, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { Consumed, Serdes, StreamsApplication } from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import { MillraceModule, Topology } from '#libs/nestjs';
import type { MillraceModuleOptions, TopologyClass } from '#libs/nestjs';
import { FakeApplication, silentNestLogger } from './fake-application.ts';

const OPTIONS: MillraceModuleOptions = { applicationId: 'a', kafka: { brokers: ['localhost:1'] } };

function copy(from: string): (builder: StreamsBuilder) => void {
  return (builder) =>
    builder.stream<string, string>(from, Consumed.with(Serdes.string(), Serdes.string())).to(`${from}-copy`);
}

@Topology()
class Zebra implements TopologyClass {
  build = copy('zebra');
}

@Topology()
class Aardvark implements TopologyClass {
  build = copy('aardvark');
}

function moduleOf(...providers: Provider[]): Promise<TestingModule> {
  return Test.createTestingModule({ imports: [MillraceModule.forRoot(OPTIONS)], providers })
    .setLogger(silentNestLogger)
    .compile();
}

async function describedWith(...providers: Provider[]): Promise<string> {
  return (await moduleOf(...providers)).get(StreamsApplication).describe();
}

describe('topologies', () => {
  it('are drawn in the order of their names, whatever the order of providers', async () => {
    expect(await describedWith(Zebra, Aardvark)).toBe(await describedWith(Aardvark, Zebra));
    expect(await describedWith(Zebra, Aardvark)).toMatch(/aardvark.*zebra/s);
  });

  it('are drawn once though several modules provide them', async () => {
    const feature = MillraceModule.forFeature([Zebra]);
    const module = await Test.createTestingModule({
      imports: [MillraceModule.forRoot(OPTIONS), feature],
      providers: [Zebra],
    })
      .setLogger(silentNestLogger)
      .compile();
    expect(
      module
        .get(StreamsApplication)
        .describe()
        .match(/topics: \[zebra\]/g),
    ).toHaveLength(1);
  });

  it('get what they need from the modules given to forFeature', async () => {
    @Injectable()
    class Names {
      readonly topic = 'injected';
    }
    @Topology()
    class Needy implements TopologyClass {
      constructor(readonly names: Names) {}
      build(builder: StreamsBuilder): void {
        copy(this.names.topic)(builder);
      }
    }
    const module = await Test.createTestingModule({
      imports: [MillraceModule.forRoot(OPTIONS), MillraceModule.forFeature([Needy], { providers: [Names] })],
    })
      .setLogger(silentNestLogger)
      .compile();
    expect(module.get(StreamsApplication).describe()).toContain('injected');
  });

  it('can be replaced in a test', async () => {
    const module = await Test.createTestingModule({
      imports: [MillraceModule.forRoot(OPTIONS)],
      providers: [Zebra],
    })
      .setLogger(silentNestLogger)
      .overrideProvider(Zebra)
      .useValue({ build: copy('stand-in') })
      .compile();
    expect(module.get(StreamsApplication).describe()).toContain('stand-in');
  });
});

describe('what is refused with possible solutions', () => {
  const refusal = async (...providers: Provider[]): Promise<Error> => {
    const application = (await moduleOf(...providers)).get(StreamsApplication);
    try {
      application.describe();
    } catch (error) {
      return error as Error;
    }
    throw new Error('nothing was refused');
  };

  it('an application without a topology', async () => {
    expect(await refusal()).toMatchObject({
      code: 'MILLRACE_INVALID_TOPOLOGY',
      message: expect.stringMatching(/Possible solutions:\n {2}- Mark a class with @Topology\(\)/),
    });
  });

  it('a class without build(builder)', async () => {
    @Topology()
    class Empty {}
    expect((await refusal(Empty)).message).toContain('Empty is marked with @Topology() but has no method');
  });

  it('a topology that hangs on a request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Request {}
    @Topology()
    class Scoped implements TopologyClass {
      constructor(readonly request: Request) {}
      build = copy('scoped');
    }
    expect(await refusal(Request, Scoped)).toMatchObject({
      code: 'MILLRACE_SCOPED_PROVIDER',
      message: expect.stringMatching(/The topology Scoped depends on.*scoped to a request/),
    });
  });

  it.each<[string, Type[], string[], string]>([
    [
      'a topology for an application that is not there',
      [Zebra],
      ['other'],
      'is for the application "default"',
    ],
    ['two applications of one name', [Zebra], ['default', 'default'], 'Two MillraceModules have the name'],
  ])('%s, before anything starts', async (_name, providers, names, message) => {
    const fake = new FakeApplication();
    const module = await Test.createTestingModule({
      imports: names.map((name) => MillraceModule.forRoot({ ...OPTIONS, name })),
      providers,
    })
      .setLogger(silentNestLogger)
      .overrideProvider(StreamsApplication)
      .useValue(fake)
      .compile();
    await expect(module.init()).rejects.toThrow(message);
    expect(fake.calls).toEqual([]);
  });
});
