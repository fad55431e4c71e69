import { beforeEach, describe, expect, it } from '@jest/globals';
import { EpochAbortedError, orderedTime, readOrderedTime, systemClock } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { createMemoryStateBackend } from '#libs/state';
import type { TaskPorts, Topology } from '#libs/topology';
import { decodeOffsetMetadata, logAndContinue } from '../src/index.ts';
import { InProcessBroker } from '../../../test/support/in-process-broker.ts';
import { encodeText, handMade, keyValueStore, orderedStore } from './hand-made.ts';
import type { HandMade } from './hand-made.ts';
import { createRuntime, runToEnd } from './support.ts';

let broker: InProcessBroker;

beforeEach(() => {
  broker = new InProcessBroker();
  broker.createTopic('in', 1);
  broker.createTopic('out', 1);
});

function produce(count: number, from = 0): void {
  broker.produce(
    'in',
    0,
    Array.from({ length: count }, (_, i) => ({
      key: `k${(from + i) % 7}`,
      value: `v${from + i}`,
      timestamp: 1_000 + from + i,
    })),
  );
}

const outputs = (): string[] =>
  broker.records('out', 0).map(({ key, value }) => `${String(key)}=${String(value)}`);

/** Each record sets a timer 10 ms of event time later; it emits what the record was, and then the record itself is gone. */
function timers(ports: TaskPorts): HandMade {
  const store = ports.orderedStore('timers');
  const clock = ports.clock('timers', null);
  const sink = ports.sink(0);
  const first = (): number => {
    const row = store.first('' as BinaryString);
    return row === null ? Infinity : readOrderedTime(store.suffixOf(row), 0);
  };
  const alarm = ports.alarm('event', (now, skip) => {
    const row = store.first('' as BinaryString);
    if (row === null || readOrderedTime(store.suffixOf(row), 0) > now) return first();
    const [key, value] = String(store.value(row)).split(' ');
    store.set(row, null, now);
    if (skip !== true && value === 'v3') throw new Error('v3 does not fire');
    if (skip !== true) sink.send(key, value, ports.context.timestamp);
    return first();
  });
  return {
    process: (key, value, timestamp) => {
      const due = clock.observe(timestamp) + 10;
      const suffix = (orderedTime(due) + encodeText(String(value))) as BinaryString;
      store.set(store.row('' as BinaryString, suffix), `${String(key)} ${String(value)}`, timestamp);
      alarm.due(due);
    },
  };
}

const timersTopology = (operator = timers): Topology =>
  handMade(operator, { stores: [orderedStore('timers')] });

function expectedTimers(count: number): string[] {
  return Array.from({ length: Math.max(0, count - 10) }, (_, i) => `k${i % 7}=v${i}`).filter(
    (line) => !line.endsWith('=v3'),
  );
}

describe('alarms', () => {
  it('fire in event time, each right after the record that brings its time', async () => {
    const operator = (ports: TaskPorts): HandMade => {
      const made = timers(ports);
      return {
        process: (key, value, timestamp) => {
          made.process(key, value, timestamp);
          ports.sink(0).send('record', value, timestamp);
        },
      };
    };
    produce(13);
    await runToEnd(broker, timersTopology(operator), { exceptionHandlers: { processing: logAndContinue } });
    expect(outputs().slice(9)).toEqual([
      'record=v9',
      'record=v10',
      'k0=v0',
      'record=v11',
      'k1=v1',
      'record=v12',
      'k2=v2',
    ]);
    expect(broker.records('out', 0).find(({ key }) => key === 'k0')!.timestamp).toBe(1_010);
  });

  it.each([0, 1, 3, 5])('fire exactly once when commit %i and a later one are abandoned', async (at) => {
    const count = 20_000;
    produce(count);
    let commits = 0;
    broker.onCommit = () => {
      const commit = commits++;
      if (commit === at || commit === at + 3)
        throw new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: 'injected' });
    };
    const options = { commitIntervalMs: 1, exceptionHandlers: { processing: logAndContinue } };
    await runToEnd(broker, timersTopology(), options);
    expect(commits).toBeGreaterThan(at + 3);
    expect(outputs()).toEqual(expectedTimers(count));
  });

  it('survive a restart in the state of their operators', async () => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    const options = { backend, exceptionHandlers: { processing: logAndContinue } };
    produce(20);
    await runToEnd(broker, timersTopology(), options);
    produce(20, 20);
    await runToEnd(broker, timersTopology(), options);
    expect(outputs()).toEqual(expectedTimers(40));
  });

  it('stop the task under the policy fail, and are passed over under continue', async () => {
    produce(30);
    const failing = createRuntime(broker, timersTopology());
    await failing.start();
    await expect(failing.whenEnded()).rejects.toMatchObject({
      code: 'MILLRACE_PROCESSING_FAILED',
      message: expect.stringContaining('v3 does not fire'),
    });
    const runtime = await runToEnd(broker, timersTopology(), {
      exceptionHandlers: { processing: logAndContinue },
    });
    expect(outputs()).toEqual(expectedTimers(30));
    expect(runtime.figures!.droppedRecords).toBe(1);
  });

  it('fire by the wall clock without any input', async () => {
    let now = 50_000;
    const clock = { ...systemClock, now: () => now };
    const fired: number[] = [];
    const operator = (ports: TaskPorts): HandMade => {
      ports.alarm('wall', (time) => {
        fired.push(time);
        ports.sink(0).send('wall', String(time), time);
        return time + 5_000;
      });
      return { process: () => undefined };
    };
    const runtime = createRuntime(broker, handMade(operator), { clock, until: 'stopped' });
    await runtime.start();
    await until(() => broker.records('out', 0).length === 1);
    now += 5_000;
    await until(() => broker.records('out', 0).length === 2);
    await runtime.stop();
    expect(outputs()).toEqual(['wall=50000', 'wall=55000']);
    expect(fired).toEqual([50_000, 55_000]);
  });

  it('that did nothing commit nothing', async () => {
    let fired = 0;
    const operator = (ports: TaskPorts): HandMade => {
      ports.alarm('wall', (time) => {
        fired++;
        return time + 1;
      });
      return { process: () => undefined };
    };
    const runtime = createRuntime(broker, handMade(operator), { until: 'stopped' });
    await runtime.start();
    await until(() => fired > 20);
    const { transactions } = broker;
    await until(() => fired > 40);
    expect(broker.transactions).toBe(transactions);
    await runtime.stop();
  });
});

describe('operator clocks', () => {
  const clocked = (ports: TaskPorts): HandMade => {
    const all = ports.clock('all', null);
    const odd = ports.clock('odd', null);
    const sink = ports.sink(0);
    return {
      process: (key, value, timestamp) => {
        if (timestamp % 2 === 1) odd.observe(timestamp);
        all.observe(timestamp);
        if (value === 'bad') throw new Error('bad');
        sink.send(key, `${all.now} ${odd.now}`, timestamp);
      },
    };
  };

  it('go on where they were committed', async () => {
    produce(4);
    await runToEnd(broker, handMade(clocked));
    broker.produce('in', 0, [{ key: 'k', value: 'late', timestamp: 10 }]);
    await runToEnd(broker, handMade(clocked));
    expect(outputs().slice(-2)).toEqual(['k3=1003 1003', 'k=1003 1003']);
    const { clocks } = decodeOffsetMetadata(broker.committed.get('in-0')!.metadata)!;
    expect([...clocks.values()]).toEqual([1_003, 1_003]);
  });

  it('do not move with a record that is undone', async () => {
    broker.produce('in', 0, [
      { key: 'k', value: 'a', timestamp: 3 },
      { key: 'k', value: 'bad', timestamp: 9_001 },
      { key: 'k', value: 'b', timestamp: 4 },
    ]);
    await runToEnd(broker, handMade(clocked), { exceptionHandlers: { processing: logAndContinue } });
    expect(outputs()).toEqual(['k=3 3', 'k=4 3']);
  });

  it('refuse to start when their times do not fit beside an offset', async () => {
    const many = (ports: TaskPorts): HandMade => {
      for (let i = 0; i < 400; i++) ports.clock(`operator-${i}`, null);
      return { process: () => undefined };
    };
    const runtime = createRuntime(broker, handMade(many));
    await runtime.start();
    await expect(runtime.whenEnded()).rejects.toMatchObject({ code: 'MILLRACE_INVALID_TOPOLOGY' });
  });

  it('drop expired rows as of the epoch that is committed', async () => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    const expireBefore: (ReadonlyMap<string, number> | undefined)[] = [];
    const watching = {
      ...backend,
      open: async (options: Parameters<typeof backend.open>[0]) => {
        const state = await backend.open(options);
        const commit = state.commit.bind(state);
        state.commit = (epochId, epoch) => {
          expireBefore.push(epoch.expireBefore);
          commit(epochId, epoch);
        };
        return state;
      },
    };
    const store = orderedStore('rows', { resident: false, expiry: { clock: 'all', retentionMs: 100 } });
    produce(4);
    await runToEnd(broker, handMade(clocked, { stores: [store] }), { backend: watching });
    expect(expireBefore.at(-1)).toEqual(new Map([['rows', 903]]));
  });
});

describe('a miss in any scope', () => {
  /** Reads an ordered store that is not in memory, in `init`, in records, in alarms, in deliveries. */
  const counting = (ports: TaskPorts): HandMade => {
    const counts = ports.store('counts');
    const clock = ports.clock('counts', null);
    const sink = ports.sink(0);
    const count = (key: string): string => {
      const entry = counts.entry(encodeText(key));
      const next = String(Number(counts.value(entry) ?? 0) + 1);
      counts.set(entry, next, 0);
      return next;
    };
    const alarm = ports.alarm('event', () => {
      count('alarm');
      return Infinity;
    });
    return {
      init: () => {
        count('init');
        ports.alarm('event', () => {
          count('alarm of init');
          return Infinity;
        });
      },
      process: (key, value, timestamp) => {
        clock.observe(timestamp);
        alarm.due(timestamp);
        ports.post(() => {
          const delivered = count(`delivery ${String(key)}`);
          sink.send(key, `${String(value)} delivered ${delivered}`, timestamp);
        });
        sink.send(key, `${String(value)} counted ${count(String(key))}`, timestamp);
      },
    };
  };

  it('undoes it whole and runs it again', async () => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    // A store that is too large to be read whole at the start.
    const fill = (ports: TaskPorts): HandMade => {
      const counts = ports.store('counts');
      return {
        process: (key, value) =>
          counts.set(counts.entry(encodeText(String(key))), `${String(value)}${'x'.repeat(100)}`, 0),
      };
    };
    const stores = [keyValueStore('counts')];
    broker.produce(
      'in',
      0,
      Array.from({ length: 30_000 }, (_, i) => ({ key: `fill${i}`, value: 'v', timestamp: i })),
    );
    await runToEnd(broker, handMade(fill, { stores }), { backend, cacheBytesMax: 1 });
    produce(14, 100_000);
    await runToEnd(broker, handMade(counting, { stores }), { backend, cacheBytesMax: 1 });
    const expected: string[] = [];
    for (let i = 0; i < 14; i++) {
      const key = `k${(100_000 + i) % 7}`;
      const nth = i < 7 ? 1 : 2;
      expected.push(`${key}=v${100_000 + i} counted ${nth}`, `${key}=v${100_000 + i} delivered ${nth}`);
    }
    expect(outputs()).toEqual(expected);
    const changelog = new Map(
      broker.records('app-counts-changelog', 0).map(({ key, value }) => [key, value]),
    );
    expect(changelog.get('init')).toBe('1');
    expect(changelog.get('alarm of init')).toBe('1');
    expect(changelog.get('alarm')).toBe('15');
  });
});

describe('a miss that an operator swallows', () => {
  it.each(['goes on', 'throws another error'])('counts all the same when the operator %s', async (then) => {
    const backend = createMemoryStateBackend({ survivesReopen: true });
    const stores = [keyValueStore('counts')];
    const fill = (ports: TaskPorts): HandMade => {
      const counts = ports.store('counts');
      return {
        process: (key) => counts.set(counts.entry(encodeText(String(key))), `7${'x'.repeat(100)}`, 0),
      };
    };
    broker.produce(
      'in',
      0,
      Array.from({ length: 30_000 }, (_, i) => ({ key: `k${i}`, value: 'v', timestamp: i })),
    );
    await runToEnd(broker, handMade(fill, { stores }), { backend, cacheBytesMax: 1 });
    let swallowed = 0;
    const careless = (ports: TaskPorts): HandMade => {
      const counts = ports.store('counts');
      const look = (key: string): string => {
        try {
          return String(counts.value(counts.entry(encodeText(key)))).slice(0, 1);
        } catch {
          swallowed++;
          if (then !== 'goes on') throw new Error('something else');
          return 'nothing';
        }
      };
      return {
        process: (key, value, timestamp) => {
          ports.post(() =>
            ports.sink(0).send('delivery', look(`k${200 + Number(String(value).slice(1))}`), timestamp),
          );
          ports.sink(0).send('record', look(String(key)), timestamp);
        },
      };
    };
    produce(7, 100_000);
    const handlers = { processing: logAndContinue };
    await runToEnd(broker, handMade(careless, { stores }), {
      backend,
      cacheBytesMax: 1,
      exceptionHandlers: handlers,
    });
    expect(swallowed).toBeGreaterThan(0);
    expect(outputs().filter((line) => line.startsWith('record'))).toEqual(Array(7).fill('record=7'));
    expect(outputs().filter((line) => line.startsWith('delivery'))).toHaveLength(7);
    expect(outputs().some((line) => line.includes('nothing'))).toBe(false);
  });
});

describe('deliveries and the intake', () => {
  it('hold records back until the holder lets go, and run what is posted from outside meanwhile', async () => {
    const waiting: (() => void)[] = [];
    const operator = (ports: TaskPorts): HandMade => {
      const holder = {};
      return {
        process: (key, value, timestamp) => {
          ports.intake.hold(holder);
          ports.sink(0).send(key, `began ${String(value)}`, timestamp);
          waiting.push(() => {
            ports.post(() => {
              ports.sink(0).send(key, `ended ${String(value)}`, timestamp);
              ports.intake.release(holder);
            });
          });
        },
      };
    };
    produce(3);
    const runtime = createRuntime(broker, handMade(operator), { until: 'stopped' });
    await runtime.start();
    for (let i = 0; i < 3; i++) {
      await until(() => waiting.length === 1);
      await until(() => outputs().length >= 2 * i + 1);
      waiting.shift()!();
      await until(() => outputs().length >= 2 * i + 2);
    }
    await runtime.stop();
    expect(outputs()).toEqual([0, 1, 2].flatMap((i) => [`k${i}=began v${i}`, `k${i}=ended v${i}`]));
    expect(broker.committed.get('in-0')!.offset).toBe(3);
  });

  it('come to nothing when the record that asked for them is undone', async () => {
    const operator = (ports: TaskPorts): HandMade => ({
      process: (key, value, timestamp) => {
        ports.post(() => ports.sink(0).send(key, `delivered ${String(value)}`, timestamp));
        if (value === 'v1') {
          ports.intake.hold({});
          throw new Error('bad');
        }
      },
    });
    produce(3);
    await runToEnd(broker, handMade(operator), { exceptionHandlers: { processing: logAndContinue } });
    expect(outputs()).toEqual(['k0=delivered v0', 'k2=delivered v2']);
  });

  it('run what stands in for a delivery that failed', async () => {
    const operator = (ports: TaskPorts): HandMade => ({
      process: (key, value, timestamp) => {
        ports.post(
          () => {
            ports.sink(0).send(key, 'half done', timestamp);
            throw new Error('bad');
          },
          () => ports.sink(0).send(key, `gave up ${String(value)}`, timestamp),
        );
      },
    });
    produce(2);
    await runToEnd(broker, handMade(operator), { exceptionHandlers: { processing: logAndContinue } });
    expect(outputs()).toEqual(['k0=gave up v0', 'k1=gave up v1']);
  });

  it('see no source record, and their outputs carry the headers they are given', async () => {
    const seen: unknown[] = [];
    const operator = (ports: TaskPorts): HandMade => ({
      process: (key, _value, timestamp) => {
        ports.context.outputHeaders = [{ key: 'of', value: Buffer.from('the record') }];
        ports.sink(0).send(key, 'record', timestamp);
        ports.post(() => {
          const { topic, offset, partition, rawKey } = ports.context;
          seen.push({ topic, offset, partition, rawKey, headers: ports.context.headers() });
          ports.sink(0).send(key, 'delivery', timestamp);
        });
      },
    });
    produce(1);
    await runToEnd(broker, handMade(operator));
    expect(seen).toEqual([{ topic: '', offset: -1, partition: 0, rawKey: null, headers: [] }]);
    expect(broker.records('out', 0).map(({ headers }) => headers.map(({ key }) => key))).toEqual([
      ['of'],
      [],
    ]);
  });
});

describe('init and close', () => {
  it('run once each around all records, also when the task is closed dirty', async () => {
    const calls: string[] = [];
    let commits = 0;
    broker.onCommit = () => {
      if (commits++ === 1)
        throw new EpochAbortedError({ code: 'MILLRACE_EPOCH_ABORTED', message: 'injected' });
    };
    produce(2);
    const operator = (): HandMade => ({
      init: () => calls.push('init'),
      process: (_key, value) => calls.push(String(value)),
      close: () => calls.push('close'),
    });
    await runToEnd(broker, handMade(operator));
    expect(calls).toEqual(['init', 'v0', 'v1', 'close', 'init', 'v0', 'v1', 'close']);
  });
});

describe('a changed topology', () => {
  it('is refused with the store and what changed, also when nothing is left on disk', async () => {
    const fill = (ports: TaskPorts): HandMade => {
      const counts = ports.store('counts');
      return { process: (key, value) => counts.set(counts.entry(encodeText(String(key))), value, 0) };
    };
    produce(3);
    await runToEnd(broker, handMade(fill, { stores: [keyValueStore('counts'), orderedStore('rows')] }));
    const changed = createRuntime(
      broker,
      handMade(fill, { stores: [keyValueStore('counts', { layout: 'versioned' }), keyValueStore('new')] }),
    );
    await changed.start();
    await expect(changed.whenEnded()).rejects.toMatchObject({
      code: 'MILLRACE_STATE_INCOMPATIBLE',
      context: { store: 'counts', changed: ['kind or layout'] },
    });
    await runToEnd(broker, handMade(fill, { stores: [keyValueStore('counts'), keyValueStore('new')] }));
    // "rows" was gone for a while, and its changelog is there still.
    produce(1);
    await runToEnd(broker, handMade(fill, { stores: [keyValueStore('counts')] }));
    const back = createRuntime(
      broker,
      handMade(fill, { stores: [keyValueStore('counts'), orderedStore('rows', { layout: 'other' })] }),
    );
    await back.start();
    await expect(back.whenEnded()).rejects.toMatchObject({
      code: 'MILLRACE_STATE_INCOMPATIBLE',
      context: { store: 'rows' },
    });
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
