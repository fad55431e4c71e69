// Mistakes with windows that must not compile, see types.spec.ts.
import { describe, expect, it } from '@jest/globals';
import { Serdes, WindowedSerdes } from '#libs/serde';
import type { Windowed } from '#libs/serde';
import {
  BufferConfig,
  Consumed,
  EmitStrategy,
  Materialized,
  Produced,
  SessionWindows,
  StreamsBuilder,
  Suppressed,
  TimeWindows,
} from '#libs/topology';
import type { KGroupedStream, KStream, KTable } from '#libs/topology';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_same: Same<A, B>): void => undefined;

const text = Serdes.string();
const integer = Serdes.safeInteger();
const hour = TimeWindows.ofSizeWithNoGrace(3_600_000);
const session = SessionWindows.ofInactivityGapWithNoGrace(1000);
const counts = Materialized.as('counts');
const final = Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName('final');

const orders = (builder = new StreamsBuilder()): KGroupedStream<string, { amount: number }> =>
  builder.stream('orders', Consumed.with(text, Serdes.json<{ amount: number }>())).groupByKey();

function mistakes(): void {
  // The keys of the result are windowed, with the key's own serde inside.
  const hourly = orders().windowedBy(hour).count(counts);
  same<typeof hourly, KTable<Windowed<string>, number, never>>(true);
  hourly.toStream().to('out', Produced.with(WindowedSerdes.timeWindowed(text, 3_600_000), integer));
  // @ts-expect-error the serde is of plain keys
  hourly.toStream().to('out', Produced.with(text, integer));
  const ofNumbers = WindowedSerdes.timeWindowed(integer, 3_600_000);
  // @ts-expect-error the serde is of windows of numbers
  hourly.toStream().to('out', Produced.with(ofNumbers, integer));
  hourly.filter((key) => key.window.start > 0 && key.key !== '');
  // @ts-expect-error the key is in the windowed key
  hourly.filter((key) => key.startsWith('a'));

  // A session may be deleted, so its stream shows null.
  const visits = orders().windowedBy(session).count(counts);
  same<typeof visits, KTable<Windowed<string>, number, null>>(true);
  same<ReturnType<typeof visits.toStream>, KStream<Windowed<string>, number | null>>(true);

  // Sessions merge; other windows do not.
  const start = (): number => 0;
  const add = (_key: string, order: { amount: number }, sum: number): number => sum + order.amount;
  const plus = (_key: string, x: number, y: number): number => x + y;
  const sums = { name: 'sums', valueSerde: integer };
  orders().windowedBy(session).aggregate(start, add, plus, sums);
  orders().windowedBy(hour).aggregate(start, add, sums);
  // @ts-expect-error the merger is missing
  orders().windowedBy(session).aggregate(start, add, sums);
  // @ts-expect-error the aggregate is a number, its serde is of text
  orders().windowedBy(hour).aggregate(start, add, { name: 'sums', valueSerde: text });

  // Late records are as they came.
  const _late = orders().windowedBy(hour).lateRecords();
  same<typeof _late, KStream<string, { amount: number }>>(true);

  // @ts-expect-error a strategy, not its name
  orders().windowedBy(hour).emitStrategy('onWindowClose');
  orders().windowedBy(hour).emitStrategy(EmitStrategy.onWindowClose());

  // Final results are never deleted.
  const _finalVisits = visits.suppress(final);
  same<typeof _finalVisits, KTable<Windowed<string>, number, never>>(true);
  const rows = orders().count(Materialized.as('plain'));
  // @ts-expect-error there are no windows that could close
  rows.suppress(final);
  const slow = Suppressed.untilTimeLimit(1000, BufferConfig.unbounded()).withName('slow');
  rows.suppress(slow.withValueSerde(integer));
  // @ts-expect-error the values are numbers, the serde is of text
  rows.suppress(slow.withValueSerde(text));
  rows.suppress(Suppressed.untilTimeLimit(1000, BufferConfig.maxRecords(10)).withName('slow'));
  // @ts-expect-error a buffer that emits early cannot hold final results
  Suppressed.untilWindowCloses(BufferConfig.maxRecords(10));
  Suppressed.untilWindowCloses(BufferConfig.maxRecords(10).shutDownWhenFull());
  // @ts-expect-error sizes are numbers of milliseconds
  TimeWindows.ofSizeWithNoGrace('5 minutes');
}

describe('mistakes with windows', () => {
  it('do not compile', () => {
    expect(mistakes).toBeInstanceOf(Function);
  });
});
