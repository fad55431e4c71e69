import { describe, expect, it } from '@jest/globals';
import { Serdes } from '#libs/serde';
import { Materialized, OutputTag, Stores, StreamsBuilder } from '#libs/topology';
import type {
  Cancellable,
  FixedKeyProcessor,
  FixedKeyProcessorContext,
  FixedKeyRecord,
  Processor,
  ProcessorContext,
  ProcessorRecord,
  ReadOnlyKeyValueStore,
} from '#libs/topology';
import { Driver } from './driver.ts';
import { driverOverStream, integer, text, textToText, thrownBy } from './fixtures.ts';

type Stringly = ProcessorContext<string, string>;

describe('process', () => {
  it('forwards none, one or several records, with timestamps and headers of their own', () => {
    const driver = driverOverStream((stream) =>
      stream
        .process((record, context) => {
          if (record.value === 'none') return;
          context.forward(record);
          context.forward(record.withKey('other').withTimestamp(77));
          context.forward({ key: 'made', value: 'new', headers: [{ key: 'h', value: Buffer.from('1') }] });
        })
        .to('out', { keySerde: text, valueSerde: text }),
    );
    const headers = [{ key: 'of', value: Buffer.from('source') }];
    driver.pipe('in', 'a', 'none', 1);
    driver.pipe('in', 'a', 'x', 5, undefined, headers);
    expect(driver.lines('out')).toEqual(['a=x@5', 'other=x@77', 'made=new@5']);
    expect(driver.outputs('out').map((output) => output.headers.map(({ key }) => key))).toEqual([
      ['of'],
      ['of'],
      ['h'],
    ]);
  });

  it('takes a class, a factory, an object of both factory and stores, and a function', () => {
    const lines: string[] = [];
    const counts = Stores.keyValueStore('counts', { keySerde: text, valueSerde: integer });
    class Counting implements Processor<string, string, string, number> {
      #context!: ProcessorContext<string, number>;
      readonly #label: string;

      constructor(label = 'class') {
        this.#label = label;
      }

      init(context: ProcessorContext<string, number>): void {
        lines.push(`${this.#label} ${context.taskId} ${context.applicationId}`);
        this.#context = context;
      }

      process(record: ProcessorRecord<string, string>): void {
        const store = this.#context.getStateStore(counts);
        const count = (store.get(record.key) ?? 0) + 1;
        store.put(record.key, count);
        this.#context.forward(record.withValue(count));
      }

      close(): void {
        lines.push(`${this.#label} closed`);
      }
    }
    const driver = driverOverStream((stream) => {
      stream.process(Counting, 'by-class', counts).to('out', { keySerde: text, valueSerde: integer });
      stream
        .process(() => new Counting('factory'), 'by-factory', 'counts')
        .to('out', { keySerde: text, valueSerde: integer });
      stream
        .process({ get: () => new Counting('object'), stores: [counts] })
        .to('out', { keySerde: text, valueSerde: integer });
      stream
        .process((record, context: ProcessorContext<string, number>) => context.forward(record.withValue(0)))
        .to('out', { keySerde: text, valueSerde: integer });
    });
    driver.pipe('in', 'a', 'x', 1);
    expect(driver.lines('out')).toEqual(['a=1@1', 'a=2@1', 'a=3@1', 'a=0@1']);
    driver.tasks[0]!.close();
    expect(lines).toEqual([
      ...['class', 'factory', 'object'].map((label) => `${label} 0_0 app`),
      ...['class', 'factory', 'object'].map((label) => `${label} closed`),
    ]);
  });

  it('forwards to the child of a name', () => {
    const driver = driverOverStream((stream) => {
      const processed = stream.process((record, context) => {
        context.forward(record, record.value === 'x' ? 'first' : 'second');
      });
      processed.filter(() => true, 'first').to('first', { keySerde: text, valueSerde: text });
      processed.filter(() => true, 'second').to('second', { keySerde: text, valueSerde: text });
    });
    driver.pipe('in', 'a', 'x');
    driver.pipe('in', 'a', 'y');
    expect([driver.lines('first'), driver.lines('second')]).toEqual([['a=x@0'], ['a=y@0']]);
  });

  it('keeps the key in processValues', () => {
    const upper: FixedKeyProcessor<string, string, string> = {
      process: () => undefined,
    };
    class Upper implements FixedKeyProcessor<string, string, string> {
      #context!: FixedKeyProcessorContext<string>;

      init(context: FixedKeyProcessorContext<string>): void {
        this.#context = context;
      }

      process(record: FixedKeyRecord<string, string>): void {
        this.#context.forward(record.withValue(record.value.toUpperCase()));
        this.#context.forward({ value: record.key, timestamp: 99 });
      }
    }
    const driver = driverOverStream((stream) =>
      stream
        .processValues(Upper)
        .groupByKey({ valueSerde: text })
        .count(Materialized.as('counts'))
        .toStream()
        .to('out'),
    );
    driver.pipe('in', 'a', 'x', 5);
    expect(driver.lines('out')).toEqual(['a=1@5', 'a=2@99']);
    expect(upper).toBeDefined();
  });

  it('tells the metadata of the record, and the times', () => {
    const seen: unknown[] = [];
    const driver = driverOverStream((stream) =>
      stream.process((_record, context) => {
        const { topic, offset } = context.recordMetadata!;
        seen.push([topic, offset, context.currentStreamTimeMs(), context.currentSystemTimeMs()]);
      }),
    );
    driver.pipe('in', 'a', 'x', 50);
    driver.advanceWallClock(7);
    driver.pipe('in', 'a', 'x', 20);
    expect(seen).toEqual([
      ['in', 0, 50, 0],
      ['in', 1, 50, 7],
    ]);
  });

  it('sends aside what is tagged', () => {
    const late = OutputTag.of('late', text);
    const driver = driverOverStream((stream) => {
      const processed = stream.process((record, context) => {
        if (record.value === 'late') context.output(late, { ...record, value: 'too late' });
        else context.forward(record);
        context.output(OutputTag.of<number>('nobody'), { key: 'a', value: 1 });
      });
      processed.sideOutput(late).to('late', { keySerde: text });
      processed.to('out', { keySerde: text, valueSerde: text });
    });
    driver.pipe('in', 'a', 'late', 1);
    driver.pipe('in', 'a', 'x', 2);
    expect(driver.lines('late')).toEqual(['a=too late@1']);
    expect(driver.lines('out')).toEqual(['a=x@2']);
  });

  it('reads the stores of tables, and does not write them', () => {
    const builder = new StreamsBuilder();
    const rows = builder.table<string, string>('table', textToText, Materialized.as('rows'));
    const stream = builder.stream<string, string>('in', textToText);
    stream
      .process(
        (record, context) => {
          const store = context.getStateStore(rows);
          expect(store).not.toHaveProperty('put');
          context.forward({ ...record, value: `${store.get(record.key) ?? 'none'}` });
        },
        'by-table',
        rows,
      )
      .to('out', { keySerde: text, valueSerde: text });
    stream
      .process(
        (record, context) => {
          const store = context.getStateStore('rows') as ReadOnlyKeyValueStore<string, string>;
          const found = store.getWithTimestamp(record.key);
          context.forward({ ...record, value: String(found?.timestamp) });
        },
        'by-name',
        'rows',
      )
      .to('times', { keySerde: text, valueSerde: text });
    const driver = new Driver(builder.build());
    driver.pipe('in', 'a', 'x', 1);
    driver.pipe('table', 'a', 'row', 2);
    driver.pipe('in', 'a', 'x', 3);
    expect(driver.lines('out')).toEqual(['a=none@1', 'a=row@3']);
    expect(driver.lines('times')).toEqual(['a=undefined@1', 'a=2@3']);
  });
});

describe('punctuations', () => {
  const scheduling = (init: (context: Stringly) => void, process?: (context: Stringly) => void): Driver =>
    driverOverStream((stream) => {
      class Scheduling implements Processor<string, string, string, string> {
        #context!: Stringly;
        init(context: Stringly): void {
          this.#context = context;
          init(context);
        }
        process(): void {
          process?.(this.#context);
        }
      }
      stream.process(Scheduling).to('out', { keySerde: text, valueSerde: text });
    });

  it('of stream time come with the first data, then at multiples, missed ones left out', () => {
    const driver = scheduling((context) =>
      context.schedule(10, 'stream-time', (now) => context.forward({ key: 'p', value: '', timestamp: now })),
    );
    for (const at of [3, 9, 10, 11, 45, 46, 50]) driver.pipe('in', 'a', 'x', at);
    expect(driver.lines('out')).toEqual(['p=@3', 'p=@10', 'p=@45', 'p=@50']);
  });

  it('of the wall clock come an interval after they were scheduled, without a storm afterwards', () => {
    const driver = scheduling((context) => {
      context.schedule(10, 'wall-clock', (now) => {
        expect(context.recordMetadata).toBeNull();
        context.forward({ key: 'p', value: String(now) });
      });
    });
    for (const ms of [9, 1, 30, 5, 5]) driver.advanceWallClock(ms);
    expect(driver.lines('out')).toEqual(['p=10@10', 'p=40@40', 'p=50@50']);
  });

  it('may start at a time, and be cancelled within', () => {
    let cancellable: Cancellable | null = null;
    const driver = scheduling((context) => {
      cancellable = context.schedule(
        10,
        'wall-clock',
        (now) => {
          context.forward({ key: 'p', value: '' });
          if (now > 20) cancellable!.cancel();
        },
        { startTimeMs: 15 },
      );
    });
    for (let i = 0; i < 10; i++) driver.advanceWallClock(5);
    expect(driver.lines('out')).toEqual(['p=@15', 'p=@25']);
  });

  it('made for a record that failed are taken back', () => {
    let fails = true;
    const driver = scheduling(
      () => undefined,
      (context) => {
        context.schedule(10, 'wall-clock', () => context.forward({ key: 'p', value: '' }));
        if (fails) throw new Error('at first');
      },
    );
    expect(() => driver.pipe('in', 'a', 'x')).toThrow('at first');
    fails = false;
    driver.pipe('in', 'a', 'x');
    driver.advanceWallClock(10);
    expect(driver.lines('out')).toEqual(['p=@10']);
  });
});

describe('a processor', () => {
  it('is blamed for its own errors, and not for those behind it', () => {
    const failure = new Error('mine');
    const behind = new Error('behind');
    const driver = driverOverStream((stream) =>
      stream
        .process((record, context) => {
          if (record.value === 'mine') throw failure;
          try {
            context.forward(record);
          } catch {
            // It comes out all the same: the record fails as a whole.
          }
        }, 'first')
        .peek(() => {
          throw behind;
        }, 'second'),
    );
    expect(() => driver.pipe('in', 'a', 'mine')).toThrow(failure);
    expect(driver.tasks[0]!.locate(failure)).toBe('first');
    expect(() => driver.pipe('in', 'a', 'x')).toThrow(behind);
    expect(driver.tasks[0]!.locate(behind)).toBe('second');
  });

  it('cannot catch the miss of a look-up', () => {
    const miss = new Error('not in memory');
    const store = Stores.keyValueStore('store', { keySerde: text, valueSerde: text });
    const driver = driverOverStream((stream) =>
      stream.process(
        (_record, context) => {
          try {
            context.getStateStore(store).get('k');
          } catch (error) {
            throw new Error('wrapped', { cause: error });
          }
        },
        'reading',
        store,
      ),
    );
    driver.orderedStores.get('store')!.row = () => {
      throw miss;
    };
    expect(() => driver.pipe('in', 'a', 'x')).toThrow(miss);
  });

  it.each<[string, (record: ProcessorRecord<string, string>, context: Stringly) => void, RegExp]>([
    [
      'an unknown child',
      (record, context) => context.forward(record, 'nobody'),
      /"nobody".*nodes behind it are none/,
    ],
    [
      'an unconnected store',
      (_, context) => context.getStateStore('other'),
      /store "other".*connected with none/,
    ],
    ['a bad timestamp', (record, context) => context.forward(record.withTimestamp(-1)), /timestamp.*-1/],
    ['a bad interval', (_, context) => context.schedule(0, 'wall-clock', () => undefined), /interval.*0/],
  ])('is refused %s', (_title, process, message) => {
    const driver = driverOverStream((stream) =>
      stream.process((record, context) => process(record, context)),
    );
    const error = thrownBy(() => driver.pipe('in', 'a', 'x'));
    expect(error.message).toMatch(/^MILLRACE_PROCESSOR_MISUSE/);
    expect(error.message).toMatch(message);
  });

  it('is refused to forward outside of its calls', () => {
    let later: Stringly | null = null;
    const driver = driverOverStream((stream) =>
      stream.process((_record, context) => {
        later = context;
      }),
    );
    driver.pipe('in', 'a', 'x');
    expect(() => later!.forward({ key: 'a', value: 'x' })).toThrow(/MILLRACE_PROCESSOR_MISUSE/);
  });

  it('does not keep a task from closing', () => {
    const closed: string[] = [];
    const driver = driverOverStream((stream) => {
      for (const name of ['first', 'second']) {
        const close = (): void => {
          closed.push(name);
          throw new Error('cannot');
        };
        stream.process(() => ({ process: () => undefined, close }), name);
      }
    });
    driver.tasks[0]!.close();
    expect(closed).toEqual(['first', 'second']);
    expect(driver.drops.map(({ node, reason }) => `${node}: ${reason}`)).toEqual([
      'first: close of the processor threw: cannot',
      'second: close of the processor threw: cannot',
    ]);
  });

  it('must be one for each task', () => {
    const shared = { process: () => undefined };
    const builder = new StreamsBuilder();
    builder.stream<string, string>('in', textToText).process(() => shared);
    const topology = builder.build();
    expect(() => [new Driver(topology), new Driver(topology)]).toThrow(/same processor twice/);
  });
});

describe('faults of processors', () => {
  const faultsOf = (draw: (builder: StreamsBuilder) => void): string[] => {
    const builder = new StreamsBuilder();
    draw(builder);
    return thrownBy(() => builder.build()).context.faults.map(({ path, problem }) => `${path}: ${problem}`);
  };

  it('are told with the path', () => {
    const process = (): void => undefined;
    expect(
      faultsOf((builder) => {
        const stream = builder.stream<string, string>('in', textToText);
        stream.process((_record) => process(), 'p', 'unknown');
        stream.process(null as never);
        stream.filter(() => true).sideOutput(OutputTag.of('tag'));
        const table = stream.toTable(Materialized.as('t'));
        stream.process(
          (_record) => process(),
          'r',
          table.mapValues((value) => value),
        );
        stream.process(
          (_record) => process(),
          'q',
          Stores.windowStore('w', { keySerde: text, valueSerde: text, retentionMs: -1, windowSizeMs: 10 }),
        );
        builder.addStateStore(Stores.keyValueStore('w', { keySerde: text, valueSerde: Serdes.bytes() }));
      }),
    ).toEqual([
      'stream("in").process(): the supplier is no class, function or object with get().',
      'stream("in").filter().sideOutput("tag"): this operator has no side outputs.',
      'stream("in").process("r"): a table that it connects keeps no store.',
      'stream("in").process("q"): store "w": retentionMs is -1, not a whole number of milliseconds above 0.',
      'addStateStore("w"): the store name "w" is taken by stream("in").process("q").',
      'stream("in").process("p"): it is connected with the store "unknown", which is not declared.',
    ]);
  });
});
