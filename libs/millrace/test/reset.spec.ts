// Specifies resetting an application on the simulated cluster: what a plan names, what is refused, and that a reset which is cut off at any step can be
// run again and never leaves old state beside new offsets.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import {
  Consumed,
  FailurePolicy,
  Grouped,
  Materialized,
  Produced,
  RESET_STEPS,
  Serdes,
  SimulatedKafka,
  StreamsApplication,
  StreamsBuilder,
  parseDatetime,
  parseDuration,
  planReset,
  readTopic,
  resetApplication,
  silentLogger,
  summarizeDeadLetters,
} from '../src/index.ts';
import type { ResetOptions, SimulatedConnection } from '../src/index.ts';
import { internalKind } from '../src/reset/internal-names.ts';

const APPLICATION = 'words';
const folders: string[] = [];

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** Counts the words of lines, by way of a repartition topic. */
function topology(): StreamsBuilder {
  const text = Serdes.string();
  const builder = new StreamsBuilder();
  builder
    .stream('lines', Consumed.with(text, text))
    .groupBy((_key, word) => word, Grouped.with(text, text))
    .count(Materialized.as('counts', { keySerde: text, valueSerde: Serdes.json<number>() }))
    .toStream()
    .to('out', Produced.with(text, Serdes.json<number>()));
  return builder;
}

class Fixture {
  readonly kafka = new SimulatedKafka();
  stateDir = '';

  static async with(words: readonly string[]): Promise<Fixture> {
    const fixture = new Fixture();
    fixture.stateDir = await mkdtemp(join(tmpdir(), 'millrace-reset-'));
    folders.push(fixture.stateDir);
    fixture.kafka.createTopic('lines', 2);
    fixture.kafka.createTopic('out', 1);
    fixture.kafka.publish(
      'lines',
      words.map((value, at) => ({ key: null, value, timestamp: 1_000 * at })),
    );
    return fixture;
  }

  application(kafka: SimulatedConnection = this.kafka): StreamsApplication {
    return new StreamsApplication({
      ...{ applicationId: APPLICATION, kafka, topology: topology(), stateDir: this.stateDir },
      ...{ logger: silentLogger, until: 'latest' },
    });
  }

  /** Processes all there is, and stops. */
  async run(): Promise<void> {
    const application = this.application();
    await application.start();
    await application.whenEnded();
    if (application.error !== null) throw application.error;
  }

  options(more: Partial<ResetOptions> = {}): ResetOptions {
    return { kafka: this.kafka, applicationId: APPLICATION, stateDir: this.stateDir, ...more };
  }

  /** What was written since `from`. */
  async results(from: number): Promise<string[]> {
    const lines: string[] = [];
    const serdes = { keySerde: Serdes.string(), valueSerde: Serdes.json<number>() };
    for await (const { key, value, offset } of readTopic({ kafka: this.kafka, topic: 'out', ...serdes }))
      if (offset >= from) lines.push(`${key!} ${value!}`);
    return lines;
  }

  async written(): Promise<number> {
    let end = 0;
    const serdes = { keySerde: Serdes.string(), valueSerde: Serdes.json<number>() };
    for await (const { offset } of readTopic({ kafka: this.kafka, topic: 'out', ...serdes }))
      end = offset + 1;
    return end;
  }

  async taskFolders(): Promise<string[]> {
    return readdir(join(this.stateDir, APPLICATION, 'instance-0', APPLICATION)).catch(() => []);
  }
}

/** The last count of each word. */
function totals(lines: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    lines.map((line) => line.split(' ')).map(([word, count]) => [word!, Number(count)]),
  );
}

describe('resetting an application', () => {
  it('plans all it would change, and changes nothing', async () => {
    const fixture = await Fixture.with(['a', 'b', 'a']);
    await fixture.run();
    const plan = await planReset(fixture.options());
    expect(plan).toMatchObject({ applicationId: APPLICATION, unfinished: false, group: { members: [] } });
    expect(plan.offsets.map(({ topic, partition, to, clamped }) => [topic, partition, to, clamped])).toEqual([
      ['lines', 0, 0, false],
      ['lines', 1, 0, false],
    ]);
    expect(plan.offsets.reduce((sum, { from }) => sum + (from ?? 0), 0)).toBe(3);
    expect(plan.topics).toEqual([
      { name: 'words-counts-changelog', kind: 'changelog', because: 'offsets' },
      { name: 'words-counts-repartition', kind: 'repartition', because: 'offsets' },
    ]);
    expect(plan.state).toMatchObject([{ tasks: ['1_0', '1_1'], inUse: false }]);
    expect(await planReset(fixture.options())).toEqual(plan);
    expect(await fixture.taskFolders()).toEqual(['1_0', '1_1']);
  });

  it('computes everything anew afterwards', async () => {
    const fixture = await Fixture.with(['a', 'b', 'a']);
    await fixture.run();
    const before = await fixture.written();
    const report = await resetApplication(fixture.options());
    expect(report).toMatchObject({ deletedTasks: 2, removedMembers: 0 });
    expect(await fixture.taskFolders()).toEqual([]);
    await fixture.run();
    expect(totals(await fixture.results(before))).toEqual({ a: 2, b: 1 });
  });

  it.each([
    ['latest', 'latest' as const, {}],
    ['a time', { timestampMs: 2_000 }, { a: 1 }],
    ['an offset beyond the end', { offset: 99 }, {}],
    ['one record less', { shiftBy: -99 }, { a: 2, b: 1 }],
  ])('begins at %s', async (_what, target, expected) => {
    const fixture = await Fixture.with(['a', 'b', 'a']);
    await fixture.run();
    const before = await fixture.written();
    const { plan } = await resetApplication(fixture.options({ target }));
    expect(plan.offsets.some(({ clamped }) => clamped)).toBe(
      typeof target === 'object' && !('timestampMs' in target),
    );
    await fixture.run();
    expect(totals(await fixture.results(before))).toEqual(expected);
  });

  it('refuses while a member lives, and changes nothing', async () => {
    const fixture = await Fixture.with(['a']);
    await fixture.run();
    const application = new StreamsApplication({
      ...{ applicationId: APPLICATION, kafka: fixture.kafka, topology: topology(), state: 'memory' },
      ...{ logger: silentLogger, instanceId: 'other' },
    });
    await application.start();
    await application.whenRunning();
    const plan = await planReset(fixture.options());
    expect(plan.group.members).toHaveLength(1);
    await expect(resetApplication(fixture.options())).rejects.toMatchObject({
      code: 'MILLRACE_RESET_MEMBERS_LIVE',
    });
    expect(await fixture.taskFolders()).toEqual(['1_0', '1_1']);
    await application.stop();
    await resetApplication(fixture.options());
  });

  it('puts members of killed processes out by force', async () => {
    const fixture = await Fixture.with(['a']);
    const host = fixture.kafka.host('killed');
    const application = new StreamsApplication({
      ...{ applicationId: APPLICATION, kafka: host.kafka, clock: host.clock, topology: topology() },
      ...{ logger: silentLogger, state: 'memory', instanceId: 'killed' },
      ...{ sessionTimeoutMs: 1_500, heartbeatIntervalMs: 300 },
    });
    await application.start();
    await application.whenRunning();
    host.kill();
    await expect(resetApplication(fixture.options())).rejects.toMatchObject({
      code: 'MILLRACE_RESET_MEMBERS_LIVE',
    });
    expect(await resetApplication(fixture.options({ force: true }))).toMatchObject({ removedMembers: 1 });
    const before = await fixture.written();
    await fixture.run();
    expect(totals(await fixture.results(before))).toEqual({ a: 1 });
  });

  it('refuses while a process holds the local state', async () => {
    const fixture = await Fixture.with(['a']);
    await fixture.run();
    const other = new SimulatedKafka();
    other.createTopic('lines', 1);
    other.createTopic('out', 1);
    const holder = new StreamsApplication({
      ...{ applicationId: APPLICATION, kafka: other, topology: topology(), stateDir: fixture.stateDir },
      ...{ logger: silentLogger },
    });
    await holder.start();
    await expect(resetApplication(fixture.options())).rejects.toMatchObject({
      code: 'MILLRACE_STATE_LOCKED',
    });
    expect((await planReset(fixture.options())).state).toMatchObject([{ inUse: true }]);
    await holder.stop();
  });

  it.each(RESET_STEPS)('is run again when it was cut off before the step "%s"', async (step) => {
    const fixture = await Fixture.with(['a', 'b', 'a', 'c']);
    await fixture.run();
    const before = await fixture.written();
    const cut = resetApplication(
      fixture.options({
        target: { shiftBy: -1 },
        onStep: (next) => {
          if (next === step) throw new Error('killed here');
        },
      }),
    );
    const isMarked = RESET_STEPS.indexOf(step) > RESET_STEPS.indexOf('mark');
    await expect(cut).rejects.toThrow(isMarked ? /MILLRACE_RESET_UNFINISHED/ : /killed here/);
    expect((await planReset(fixture.options())).unfinished).toBe(isMarked);
    // It either runs as if nothing had been, or not at all.
    const outcome = await fixture.run().then(
      () => 'ran',
      (error: { code?: string }) => error.code,
    );
    expect(outcome).toBe(isMarked ? 'MILLRACE_RESET_UNFINISHED' : 'ran');
    expect(await fixture.written()).toBe(before);

    // Counted from what it was before the first try, not from what that one had set.
    const { plan } = await resetApplication(fixture.options({ target: { shiftBy: -1 } }));
    expect(plan.offsets.map(({ from, to }) => from! - to)).toEqual([1, 1]);
    await fixture.run();
    expect(Object.values(totals(await fixture.results(before))).reduce((sum, one) => sum + one, 0)).toBe(2);
  });

  it('leaves what could be of another application alone', async () => {
    const fixture = await Fixture.with(['a']);
    await fixture.run();
    fixture.kafka.createTopic('words-of-others-totals-changelog');
    fixture.kafka.createTopic('words-old-changelog');
    fixture.kafka.createTopic('words-results');
    const others = new StreamsApplication({
      ...{ applicationId: 'words-of-others', kafka: fixture.kafka, topology: topology(), state: 'memory' },
      ...{ logger: silentLogger, until: 'latest' },
    });
    await others.start();
    await others.whenEnded();
    const plan = await planReset(fixture.options());
    expect(plan.leftTopics).toContainEqual({
      name: 'words-of-others-totals-changelog',
      group: 'words-of-others',
    });
    expect(plan.topics).toContainEqual({ name: 'words-old-changelog', kind: 'changelog', because: 'name' });
    expect(plan.topics.map(({ name }) => name)).not.toContain('words-results');
    const named = await planReset(fixture.options({ internalTopics: ['words-old-changelog'] }));
    expect(named.topics).toEqual([{ name: 'words-old-changelog', kind: 'changelog', because: 'named' }]);
  });

  it('takes an input that is called as a changelog for an input', async () => {
    const fixture = await Fixture.with([]);
    const text = Serdes.string();
    fixture.kafka.createTopic('words-of-a-database-changelog', 1);
    fixture.kafka.publish('words-of-a-database-changelog', [{ key: 'a', value: 'b' }]);
    const builder = new StreamsBuilder();
    builder
      .stream('words-of-a-database-changelog', Consumed.with(text, text))
      .to('lines', Produced.with(text, text));
    const application = new StreamsApplication({
      ...{ applicationId: APPLICATION, kafka: fixture.kafka, topology: builder, state: 'memory' },
      ...{ logger: silentLogger, until: 'latest' },
    });
    await application.start();
    await application.whenEnded();
    const { topics, offsets } = await planReset(fixture.options());
    expect(topics).toEqual([]);
    expect(offsets).toMatchObject([{ topic: 'words-of-a-database-changelog', from: 1, to: 0 }]);
  });

  it('deletes retry topics, and passes dead letters whose records are read again', async () => {
    const fixture = await Fixture.with(['a', 'poison']);
    fixture.kafka.createTopic('dead', 1);
    const failurePolicy = FailurePolicy.retryTopics({
      delays: ['1 ms'],
      then: FailurePolicy.deadLetter('dead'),
    });
    const text = Serdes.string();
    const builder = new StreamsBuilder();
    builder
      .stream('lines', Consumed.with(text, text, { failurePolicy }))
      .mapValues((word) => {
        if (word === 'poison') throw new RangeError('none');
        return word;
      })
      .to('out', Produced.with(text, text));
    const run = async (): Promise<void> => {
      const application = new StreamsApplication({
        ...{
          applicationId: APPLICATION,
          kafka: fixture.kafka,
          topology: builder,
          stateDir: fixture.stateDir,
        },
        ...{ logger: silentLogger, until: 'latest' },
      });
      await application.start();
      await application.whenEnded();
      expect(application.error).toBeNull();
    };
    await run();
    const letters = { kafka: fixture.kafka, applicationId: APPLICATION, topic: 'dead' };
    expect(await summarizeDeadLetters(letters)).toMatchObject({ pending: 1 });

    const kept = await planReset(fixture.options({ target: 'latest', deadLetterTopics: ['dead'] }));
    expect(kept.deadLetters).toEqual([]);
    const { deletedTopics } = await resetApplication(fixture.options({ deadLetterTopics: ['dead'] }));
    expect(deletedTopics).toEqual(['words-lines-retry-1']);
    expect(await summarizeDeadLetters(letters)).toMatchObject({ pending: 0 });
    await run();
    expect(await summarizeDeadLetters(letters)).toMatchObject({ pending: 1 });
  });

  it.each<[string, Partial<ResetOptions>, string]>([
    ['an id that is none', { applicationId: '../x' }, 'MILLRACE_INVALID_CONFIG'],
    ['a topic of the user to delete', { internalTopics: ['lines'] }, 'MILLRACE_INVALID_CONFIG'],
    ['an input that is not there', { inputTopics: ['nowhere'] }, 'MILLRACE_TOPIC_MISSING'],
    ['half an offset', { target: { offset: 0.5 } }, 'MILLRACE_INVALID_CONFIG'],
    ['an offset below 0', { target: { offset: -1 } }, 'MILLRACE_INVALID_CONFIG'],
    ['a shift from nothing', { target: { shiftBy: 1 }, inputTopics: ['lines'] }, 'MILLRACE_INVALID_CONFIG'],
    ['a time for a group that is not there', { target: { timestampMs: 0 } }, 'MILLRACE_INVALID_CONFIG'],
  ])('refuses %s', async (_what, more, code) => {
    const fixture = await Fixture.with(['a']);
    await expect(planReset(fixture.options(more))).rejects.toMatchObject({ code });
  });
});

describe('times and durations', () => {
  it.each([
    ['2026-01-31T08:00:00.000', Date.UTC(2026, 0, 31, 8)],
    ['2026-01-31T08:00Z', Date.UTC(2026, 0, 31, 8)],
    ['2026-01-31', Date.UTC(2026, 0, 31)],
    ['2026-01-31T08:00:00.5+01:30', Date.UTC(2026, 0, 31, 6, 30, 0, 500)],
    ['2026-01-31T08:00:00+0100', Date.UTC(2026, 0, 31, 7)],
  ])('reads %s', (text, ms) => expect(parseDatetime(text)).toBe(ms));

  it.each(['', 'yesterday', '2026-02-30', '2026-01-31 08:00', '2026-13-01T00:00', '31.01.2026'])(
    'refuses the time "%s"',
    (text) => expect(() => parseDatetime(text)).toThrow(/MILLRACE_INVALID_CONFIG/),
  );

  it.each([
    ['PT1H30M', 5_400_000],
    ['P2D', 172_800_000],
    ['P1DT0.5S', 86_400_500],
    ['90 s', 90_000],
    ['15min', 900_000],
    ['1.5 h', 5_400_000],
  ])('reads the duration %s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', 'P', 'PT', 'P1DT', '1 week', '-5 s', 'PT-5S'])('refuses the duration "%s"', (text) =>
    expect(() => parseDuration(text)).toThrow(/MILLRACE_INVALID_CONFIG/),
  );
});

describe('names of internal topics', () => {
  it.each([
    ['app-totals-changelog', 'changelog'],
    ['app-by-key-repartition', 'repartition'],
    ['app-orders-retry-2', 'retry'],
    ['app-changelog', null],
    ['app-results', null],
    ['apps-totals-changelog', null],
    ['totals-changelog', null],
  ])('takes %s for %s', (name, kind) => expect(internalKind('app', name)).toBe(kind));
});
