// Specifies that results do not depend on what becomes of the instances: an application that is killed at any point and started again
// gives, record by record, what an undisturbed run gives.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { TopologyTestDriver } from '../src/index.ts';
import { SCENARIOS, inputs, run } from './scenarios.ts';

async function restart(driver: TopologyTestDriver): Promise<void> {
  await driver.crash();
  await driver.restart();
}

describe.each(SCENARIOS)('a crash during $name', (scenario) => {
  it('before each record changes nothing', async () => {
    const expected = await run(scenario, {});
    expect(expected.results.length).toBeGreaterThan(4);
    expect(await run(scenario, {}, restart)).toEqual(expected);
  });

  it('in the middle of each epoch changes nothing', async () => {
    const expected = await run(scenario, {});
    for (const events of [3, 8, 15, 27]) {
      const disturbed = await run(scenario, {}, async (driver) => {
        await driver.step(events);
        await restart(driver);
      });
      expect(disturbed).toEqual(expected);
    }
  });
});

type Disturbance = 'crash' | 'restart' | 'freeze' | 'rebalance' | 'add' | 'remove';

async function disturb(driver: TopologyTestDriver, what: Disturbance, instance: number): Promise<void> {
  if (what === 'crash') {
    await driver.crash(instance);
    await driver.restart(instance);
  } else if (what === 'restart') await driver.restart(instance);
  else if (what === 'rebalance') await driver.rebalance();
  else if (what === 'add') await driver.addInstance();
  else if (what === 'remove' && driver.instanceCount > 1) {
    await driver.removeInstance(instance);
    await driver.restart(instance);
  } else if (what === 'freeze') {
    driver.freeze(instance);
    await driver.step(60);
    await driver.thaw(instance);
  }
}

describe('any disturbance', () => {
  it('of any instance at any event changes nothing', async () => {
    const disturbance = fc.record({
      at: fc.nat({ max: inputs.length - 1 }),
      events: fc.nat({ max: 40 }),
      what: fc.constantFrom<Disturbance>('crash', 'restart', 'freeze', 'rebalance', 'add', 'remove'),
      instance: fc.nat({ max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SCENARIOS),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(disturbance, { maxLength: 4 }),
        async (scenario, instances, partitions, disturbances) => {
          const expected = await run(scenario, { partitions });
          const disturbed = await run(scenario, { instances, partitions }, async (driver, i) => {
            for (const { at, events, what, instance } of disturbances) {
              if (at !== i) continue;
              if (events > 0) await driver.step(events);
              await disturb(driver, what, instance % driver.instanceCount);
            }
          });
          expect(disturbed).toEqual(expected);
        },
      ),
      { numRuns: 20 },
    );
  }, 60_000);
});

interface Blow {
  /** After which record. */
  readonly at: number;
  readonly kind: 'kill' | 'start' | 'freeze' | 'thaw' | 'rebalance' | 'step' | 'settle' | 'stop';
  readonly instance: number;
  readonly events: number;
}

async function strike(driver: TopologyTestDriver, { kind, instance, events }: Blow): Promise<void> {
  if (kind === 'kill') await driver.crash(instance);
  else if (kind === 'start') await driver.restart(instance);
  else if (kind === 'freeze') driver.freeze(instance);
  else if (kind === 'thaw') await driver.thaw(instance);
  else if (kind === 'rebalance') await driver.rebalance();
  else if (kind === 'step') await driver.step(events);
  else if (kind === 'stop') await driver.removeInstance(instance);
  else await driver.settle();
}

describe('a storm', () => {
  it('of kills, pauses, stops and rebalances over three instances, all dead in the end, changes nothing', async () => {
    const blow = fc.record<Blow>({
      at: fc.nat({ max: inputs.length - 1 }),
      kind: fc.constantFrom('kill', 'start', 'freeze', 'thaw', 'rebalance', 'step', 'settle', 'stop'),
      instance: fc.nat({ max: 2 }),
      events: fc.nat({ max: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SCENARIOS),
        fc.array(blow, { maxLength: 12 }),
        async (scenario, blows) => {
          const expected = await run(scenario, {});
          const disturbed = await run(scenario, { instances: 3 }, async (driver, i) => {
            for (const each of blows) if (each.at === i) await strike(driver, each);
            if (i < inputs.length - 1) return;
            for (let instance = 0; instance < driver.instanceCount; instance++) await driver.thaw(instance);
            await driver.crash();
            await driver.restart();
          });
          expect(disturbed).toEqual(expected);
        },
      ),
      { numRuns: 20 },
    );
  }, 60_000);
});
