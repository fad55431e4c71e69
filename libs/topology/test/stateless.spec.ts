import { describe, expect, it } from '@jest/globals';
import { KeyValue, Produced } from '#libs/topology';
import { driverOverStream, integer, text } from './fixtures.ts';

const asText = Produced.with(text, text);

describe('stateless operators', () => {
  it('filters by predicate and by its opposite', () => {
    const driver = driverOverStream((stream) => {
      stream.filter((_key, value) => value > 'b').to('above');
      stream.filterNot((_key, value) => value > 'b').to('rest');
    });
    for (const value of ['a', 'b', 'c']) driver.pipe('in', 'k', value, 7);
    expect(driver.lines('above')).toEqual(['k=c@7']);
    expect(driver.lines('rest')).toEqual(['k=a@7', 'k=b@7']);
  });

  it('maps key and value, and keeps the timestamp', () => {
    const driver = driverOverStream((stream) => {
      stream.map((key, value) => [value, key.length] as const).to('out', Produced.with(text, integer));
      stream.map((key, value) => KeyValue.pair(value, key)).to('pairs', asText);
    });
    driver.pipe('in', 'key', 'value', 5);
    expect(driver.lines('out')).toEqual(['value=3@5']);
    expect(driver.lines('pairs')).toEqual(['value=key@5']);
  });

  it('gives the key to a function of the value as its second argument', () => {
    const driver = driverOverStream((stream) => {
      stream.mapValues((value, key) => `${key}:${value}`).to('mapped', { valueSerde: text });
      stream.flatMapValues((value, key) => [key, value]).to('flat', { valueSerde: text });
    });
    driver.pipe('in', 'k', 'v', 1);
    expect(driver.lines('mapped')).toEqual(['k=k:v@1']);
    expect(driver.lines('flat')).toEqual(['k=k@1', 'k=v@1']);
  });

  it('takes none, one or many results from any iterable', () => {
    const driver = driverOverStream((stream) => {
      stream
        .flatMap(function* (key, value): Generator<KeyValue<string, string>> {
          for (const letter of value) yield [letter, key];
        })
        .to('out', asText);
    });
    driver.pipe('in', 'none', '', 1);
    driver.pipe('in', 'k', 'ab', 2);
    expect(driver.lines('out')).toEqual(['a=k@2', 'b=k@2']);
  });

  it('forwards nothing of an iterable that throws half-way', () => {
    const driver = driverOverStream((stream) => {
      stream
        .flatMapValues(function* () {
          yield 'first';
          throw new Error('half-way');
        })
        .to('out', { valueSerde: text });
    });
    expect(() => driver.pipe('in', 'k', 'v')).toThrow('half-way');
    expect(driver.lines('out')).toEqual([]);
  });

  it('forwards null where a function gives undefined', () => {
    const driver = driverOverStream((stream) => {
      stream.mapValues((): string | undefined => undefined).to('values', { valueSerde: text });
      stream.selectKey((): string | undefined => undefined).to('keys', { keySerde: text });
    });
    driver.pipe('in', 'k', 'v', 1);
    expect(driver.lines('values')).toEqual(['k=null@1']);
    expect(driver.lines('keys')).toEqual(['null=v@1']);
  });

  it('passes a peeked record on and ends a stream with foreach', () => {
    const seen: string[] = [];
    const driver = driverOverStream((stream) => {
      stream.peek((key, value) => seen.push(`peek ${key}=${value}`)).to('out');
      stream.foreach((key, value) => seen.push(`foreach ${key}=${value}`));
    });
    driver.pipe('in', 'k', 'v');
    expect(seen).toEqual(['peek k=v', 'foreach k=v']);
    expect(driver.lines('out')).toEqual(['k=v@0']);
  });

  it('sends each record to the first branch that takes it, all others to the default', () => {
    const driver = driverOverStream((stream) => {
      const { short, medium, rest } = stream
        .split('by-length-')
        .branch('short', (_key, value) => value.length < 2)
        .branch('medium', (_key, value) => value.length < 4)
        .defaultBranch('rest');
      short.to('short');
      medium.to('medium');
      rest.to('rest');
    });
    for (const value of ['a', 'abc', 'abcde', 'b']) driver.pipe('in', 'k', value);
    expect(driver.lines('short')).toEqual(['k=a@0', 'k=b@0']);
    expect(driver.lines('medium')).toEqual(['k=abc@0']);
    expect(driver.lines('rest')).toEqual(['k=abcde@0']);
  });

  it('drops what no branch takes when there is no default', () => {
    const driver = driverOverStream((stream) => {
      stream.branch({ a: (_key, value) => value === 'a', never: () => false }).a.to('out');
    });
    for (const value of ['a', 'b']) driver.pipe('in', 'k', value);
    expect(driver.lines('out')).toEqual(['k=a@0']);
  });

  it('merges two streams, and sends a record to three children in order of declaration', () => {
    const seen: string[] = [];
    const driver = driverOverStream((stream, builder) => {
      const other = builder.stream<string, string>('other', { keySerde: text, valueSerde: text });
      const merged = stream.merge(other);
      merged.foreach((_key, value) => seen.push(`1 ${value}`));
      merged.foreach((_key, value) => seen.push(`2 ${value}`));
      merged.to('out');
    });
    driver.pipe('in', 'k', 'a');
    driver.pipe('other', 'k', 'b');
    expect(seen).toEqual(['1 a', '2 a', '1 b', '2 b']);
    expect(driver.lines('out')).toEqual(['k=a@0', 'k=b@0']);
  });

  it('chooses a sink topic by record', () => {
    const driver = driverOverStream((stream) => stream.to((_key, value) => `out-${value}`));
    driver.pipe('in', 'k', 'a');
    driver.pipe('in', 'k', 'b');
    expect(driver.lines('out-a')).toEqual(['k=a@0']);
    expect(driver.lines('out-b')).toEqual(['k=b@0']);
  });

  it('reads several topics as one stream', () => {
    const driver = driverOverStream((_stream, builder) => {
      builder.stream<string, string>(['a', 'b'], { keySerde: text, valueSerde: text }).to('out');
    });
    driver.pipe('a', 'k', '1');
    driver.pipe('b', 'k', '2');
    expect(driver.lines('out')).toEqual(['k=1@0', 'k=2@0']);
  });
});

describe('an error of a user function', () => {
  it('comes out as it was thrown, and its node is known', () => {
    const failure = new Error('mine');
    const driver = driverOverStream((stream) => {
      stream
        .mapValues((value) => value, 'harmless')
        .filter(() => {
          throw failure;
        }, 'guilty')
        .to('out', { valueSerde: text });
    });
    const [task] = driver.tasks;
    expect(task!.locate(failure)).toBeNull();
    expect(() => driver.pipe('in', 'k', 'v')).toThrow(failure);
    expect(task!.locate(failure)).toBe('guilty');
    expect(task!.locate(new Error('of a serde'))).toBeNull();
  });

  it('says so when a mapper gives no pair or no iterable', () => {
    const driver = driverOverStream((stream) => {
      stream
        .map((() => 'no pair') as unknown as () => [string, string], 'pairless')
        .to('a', { keySerde: text, valueSerde: text });
    });
    expect(() => driver.pipe('in', 'k', 'v')).toThrow('must give [key, value]');
    const other = driverOverStream((stream) => {
      stream.flatMapValues((() => 7) as unknown as () => string[], 'flat').to('a', { valueSerde: text });
    });
    expect(() => other.pipe('in', 'k', 'v')).toThrow('must give an iterable');
  });
});
