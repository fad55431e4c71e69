// What callers without types get wrong with the driver: each is refused where it was given, by name.
import { afterEach, describe, expect, it } from '@jest/globals';
import { MillraceError } from '#libs/core';
import { Serdes } from '#libs/serde';
import { Consumed, StreamsBuilder } from '#libs/topology';
import { TopologyTestDriver } from '#libs/testing';

const text = Serdes.string();
const wrong = (given: unknown): never => given as never;
const builder = new StreamsBuilder();
builder.stream('in', Consumed.with(text, text)).to('out');
const topology = builder.build();

let driver: TopologyTestDriver | null = null;
afterEach(async () => {
  await driver?.close();
  driver = null;
});

async function codeOf(misuse: (driver: TopologyTestDriver) => unknown): Promise<string> {
  driver ??= await TopologyTestDriver.start(topology);
  try {
    await misuse(driver);
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    expect((error as MillraceError).remedy).toEqual(expect.any(String));
    return (error as MillraceError).code;
  }
  return 'accepted';
}

describe('the test driver', () => {
  it('refuses what is no topology', async () => {
    for (const given of [undefined, null, 5, {}, 'in']) {
      expect(await codeOf(() => TopologyTestDriver.start(wrong(given)))).toBe('MILLRACE_INVALID_CONFIG');
    }
  });

  it('refuses options that are none', async () => {
    for (const given of [
      null,
      5,
      { partitions: 'x' },
      { partitions: null },
      { instances: -1 },
      { instances: 'x' },
      { startTimeMs: NaN },
      { stateBackend: 'disk' },
    ]) {
      expect(await codeOf(() => TopologyTestDriver.start(topology, wrong(given)))).toBe(
        'MILLRACE_INVALID_CONFIG',
      );
    }
  });

  it('refuses serdes that are none', async () => {
    for (const given of [undefined, null, 5, {}]) {
      expect(await codeOf((it) => it.inputTopic('in', wrong(given), text))).toBe('MILLRACE_INVALID_CONFIG');
      expect(await codeOf((it) => it.outputTopic('out', text, wrong(given)))).toBe('MILLRACE_INVALID_CONFIG');
    }
  });

  it('refuses timestamps that are none, before anything is written', async () => {
    for (const timestamp of [NaN, 1.5, Infinity, wrong('5')]) {
      const code = await codeOf((it) => it.inputTopic('in', text, text).pipe('a', 'b', { timestamp }));
      expect(code).toBe('MILLRACE_INVALID_CONFIG');
    }
    expect(driver!.outputTopic('out', text, text).isEmpty).toBe(true);
  });

  it('refuses records that are none', async () => {
    for (const given of [undefined, null, 5, [null]]) {
      const code = await codeOf((it) => it.inputTopic('in', text, text).pipeAll(wrong(given)));
      expect(code).toBe('MILLRACE_INVALID_CONFIG');
    }
  });

  it('refuses topics that the topology does not know', async () => {
    expect(await codeOf((it) => it.inputTopic('nope', text, text))).toBe('MILLRACE_TOPIC_MISSING');
    expect(await codeOf((it) => it.outputTopic('nope', text, text).read())).toBe('MILLRACE_TOPIC_MISSING');
  });
});
