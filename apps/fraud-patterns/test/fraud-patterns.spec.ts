// Specifies what the service finds, and what becomes of the cards: pattern by pattern, and over a whole day with known frauds.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import type { Transaction } from '../src/data/transaction.ts';
import { expectedCardEvents, linesOf } from '../src/check/recompute.ts';
import { precision, recall, scores } from '../src/check/score.ts';
import { generateDay } from '../src/generator/day.ts';
import { append, getTestDriver, moveTo, play, results, setRule, startService } from './day.ts';

const START = Date.UTC(2026, 2, 6, 8);
const MINUTE_MS = 60_000;

let number = 0;
/** A small purchase at home, `seconds` after the start, but for what is said otherwise. */
function purchase(seconds: number, but: Partial<Transaction> = {}): Transaction {
  const id = `t${String(number++)}`;
  const usual = { card: 'card', cents: 2_000, country: 'DE', channel: 'store', outcome: 'approved' } as const;
  return { id, at: START + seconds * 1_000, ...usual, ...but };
}

let module: TestingModule;
beforeEach(async () => {
  module = await startService();
  await setRule(module, { minutes: 10, limits: [{ fromMs: 0, cents: 200_000 }] });
});
afterEach(() => module.close());

async function alertsOn(...transactions: Transaction[]): Promise<string[]> {
  await play(module, transactions);
  await moveTo(module, START + 24 * 60 * MINUTE_MS);
  return results(module).alerts.map(({ kind, note }) => `${kind}: ${note}`);
}

describe('a card probe', () => {
  const tiny = { cents: 100, channel: 'online' } as const;
  const large = { cents: 60_000, channel: 'online' } as const;

  it('is a tiny charge with a large one within a minute, whatever lies between', async () => {
    expect(await alertsOn(purchase(0, tiny), purchase(20), purchase(40, large))).toEqual([
      'card-probe: €1.00, and 40 s later €600.00',
    ]);
  });

  it('is found although the tiny charge arrives last', async () => {
    expect(await alertsOn(purchase(40, large), purchase(20), purchase(15, tiny))).toEqual([
      'card-probe: €1.00, and 25 s later €600.00',
    ]);
  });

  it('is none after a minute', async () => {
    expect(await alertsOn(purchase(0, tiny), purchase(60, large))).toEqual([]);
  });

  it('is none where the large charge was declined', async () => {
    expect(await alertsOn(purchase(0, tiny), purchase(9, { ...large, outcome: 'declined' }))).toEqual([]);
  });
});

describe('a guessed PIN', () => {
  const declined = { outcome: 'declined' } as const;

  it('is three declines in a row and then an approval', async () => {
    const all = [0, 20, 40, 60].map((seconds) => purchase(seconds, declined));
    expect(await alertsOn(...all, purchase(90))).toEqual(['guessed-pin: declined 3 times, then approved']);
  });

  it('is none with something approved between the declines', async () => {
    const all = [purchase(0, declined), purchase(20, declined), purchase(30), purchase(40, declined)];
    expect(await alertsOn(...all, purchase(60))).toEqual([]);
  });
});

describe('impossible travel', () => {
  it('is two shops within an hour that nobody can be in', async () => {
    expect(await alertsOn(purchase(0), purchase(1_800, { country: 'JP' }))).toEqual([
      'impossible-travel: in DE, and 30 min later in JP',
    ]);
  });

  it('is none where the distance can be travelled', async () => {
    expect(await alertsOn(purchase(0), purchase(3_000, { country: 'NL' }))).toEqual([]);
  });

  it('is none on the web', async () => {
    expect(await alertsOn(purchase(0), purchase(1_800, { country: 'JP', channel: 'online' }))).toEqual([]);
  });
});

describe('the spending limit', () => {
  it('counts what lies within its minutes, and alerts once until it is kept again', async () => {
    const spent = (minutes: number, cents: number): Transaction => purchase(minutes * 60, { cents });
    expect(
      await alertsOn(
        spent(0, 90_000),
        spent(5, 90_000),
        spent(9, 90_000),
        spent(9.5, 90_000),
        spent(30, 90_000),
      ),
    ).toEqual(['spending-limit: €2700.00 within 10 min; the limit is €2000.00']);
  });

  it('is the one that held at the time of the transaction, however late it is looked at', async () => {
    const cents = 150_000;
    await play(module, [purchase(0, { cents }), purchase(3_600, { cents })]);
    const changed = { fromMs: START + 30 * MINUTE_MS, cents: 100_000 };
    await setRule(module, { minutes: 10, limits: [{ fromMs: 0, cents: 200_000 }, changed] });
    await moveTo(module, START + 120 * MINUTE_MS);
    expect(results(module).alerts.map(({ at }) => at)).toEqual([START + 60 * MINUTE_MS]);
  });
});

describe('a card', () => {
  const probe = [
    purchase(0, { cents: 100, channel: 'online' }),
    purchase(10, { cents: 60_000, channel: 'online' }),
  ];
  const events = (): string[] =>
    results(module).cardEvents.map(({ event, at }) => `${event} ${(at - START) / 1_000}`);

  it('is frozen by an alert, and released by a timer; what is bought meanwhile is blocked', async () => {
    await play(module, [...probe, purchase(1_000), purchase(1_809), purchase(1_811)]);
    await moveTo(module, START + 60 * MINUTE_MS);
    expect(events()).toEqual(['frozen 10', 'blocked 1000', 'blocked 1809', 'released 1810']);
  });

  it('is not blocked before the alert, in whichever order its transactions arrive', async () => {
    await play(module, [...probe.toReversed(), purchase(5)]);
    await moveTo(module, START + 5 * MINUTE_MS);
    expect(events()).toEqual(['frozen 10']);
  });

  it('is silent after two hours without a transaction', async () => {
    await play(module, [purchase(0), purchase(60)]);
    await moveTo(module, START + 120 * MINUTE_MS);
    expect(events()).toEqual([]);
    await moveTo(module, START + 122 * MINUTE_MS);
    expect(events()).toEqual(['silent 7260']);
  });
});

describe('a transaction that is late', () => {
  it('goes to a topic of its own, and changes nothing', async () => {
    await moveTo(module, START + 10 * MINUTE_MS);
    const late = purchase(0, { cents: 300_000 });
    await play(module, [late]);
    await moveTo(module, START + 20 * MINUTE_MS);
    const { alerts, cardEvents, late: told } = results(module);
    expect({ alerts, cardEvents, told }).toEqual({ alerts: [], cardEvents: [], told: [late] });
  });
});

describe('a whole day', () => {
  it.each([1, 2, 3])('has all its frauds found and nothing else (seed %d)', async (seed) => {
    const day = generateDay({ seed, cards: 120, fraudsPerKind: 4 });
    await setRule(module, day.rules.first);
    await setRule(module, day.rules.changed);
    const half = day.transactions.length / 2;
    await append(module, day.transactions.slice(0, half));
    const driver = getTestDriver(module);
    await driver.step(200);
    await driver.crash();
    await driver.restart();
    await play(module, day.transactions.slice(half));
    await moveTo(module, day.endsAt + MINUTE_MS);

    const { alerts, cardEvents, late } = results(module);
    const all = scores(day.labels, alerts);
    expect(all.flatMap((score) => [...score.missed, ...score.false])).toEqual([]);
    expect([precision(all), recall(all)]).toEqual([1, 1]);
    expect(day.labels).toHaveLength(16);
    expect(linesOf(cardEvents)).toEqual(expectedCardEvents(day, day.endsAt + MINUTE_MS / 2));
    expect(late.map(({ id }) => id).sort()).toEqual([...day.late].sort());
    expect(day.late.size).toBeGreaterThan(0);
  });
});
