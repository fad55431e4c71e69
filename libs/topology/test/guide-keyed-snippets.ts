// The snippets of docs/guide/{keyed-processing,async,patterns}.md, as they stand there; run by guide-keyed.spec.ts.
import { Serdes } from '#libs/serde';
import { Consumed, Materialized, OutputTag, Pattern, State, StreamsBuilder } from '#libs/topology';
import type { Topology } from '#libs/topology';

export interface Payment {
  readonly amount: number;
}

export interface Alert {
  readonly tries: number;
  readonly amount: number;
  readonly tookMs: number;
}

const text = Serdes.string();
const payment = Serdes.json<Payment>();

export function idleTopology(): Topology {
  const builder = new StreamsBuilder();
  // #region idle
  builder
    .stream('payments', Consumed.with(text, payment))
    .groupByKey()
    .process({
      name: 'idle',
      state: {
        total: State.reducing(Serdes.float64(), (a, b) => a + b),
        amounts: State.list(Serdes.float64(), { ttl: { ms: 3_600_000 } }),
      },
      valueSerde: text,
      onRecord({ amount }, { state, timers, timestamp }) {
        state.total.add(amount);
        state.amounts.add(amount);
        timers.setEventTime('idle', timestamp + 60_000);
      },
      onTimer({ name }, context) {
        context.emit(
          `${name}: ${context.state.total.get() ?? 0} in ${context.state.amounts.get().length} payments`,
        );
        context.state.total.clear();
        context.state.amounts.clear();
      },
    })
    .to('idle-accounts');
  // #endregion
  return builder.build();
}

export function rulesTopology(): Topology {
  const builder = new StreamsBuilder();
  // #region rules
  const limits = builder.globalTable('limits', Consumed.with(text, payment), Materialized.as('limits'));
  const refused = OutputTag.of<Payment>('refused', payment);
  const checked = builder
    .stream('payments', Consumed.with(text, payment))
    .groupByKey()
    .process({
      name: 'check',
      broadcast: { limits },
      valueSerde: payment,
      onRecord(value, context) {
        const limit = context.broadcast.limits.get(context.key);
        if (limit !== null && value.amount > limit.amount) context.output(refused, value);
        else context.emit(value);
      },
    });
  checked.to('accepted');
  checked.sideOutput(refused).to('refused');
  // #endregion
  return builder.build();
}

export function asyncTopology(rateOf: (currency: string, signal: AbortSignal) => Promise<number>): Topology {
  const builder = new StreamsBuilder();
  // #region async
  builder
    .stream('orders', Consumed.with(text, Serdes.json<{ currency: string; amount: number }>()))
    .mapAsync(
      async ({ currency, amount }, { signal }) => ({ euros: amount * (await rateOf(currency, signal)) }),
      {
        name: 'rates',
        order: 'perKey',
        concurrency: 32,
        timeoutMs: 2_000,
        retries: { max: 3, backoffMs: 200 },
        onFailure: 'skip',
        resultSerde: Serdes.json<{ euros: number }>(),
      },
    )
    .to('orders-in-euros');
  // #endregion
  return builder.build();
}

export function patternTopology(): Topology {
  const builder = new StreamsBuilder();
  // #region pattern
  const probe = Pattern.begin<Payment, 'small'>('small')
    .where(({ amount }) => amount < 1)
    .times(2, 5)
    .followedBy('big')
    .where(({ amount }, taken) => amount > 100 * taken['small']![0]!.amount && amount > 500)
    .within(60_000);
  builder
    .stream('payments', Consumed.with(text, payment))
    .groupByKey()
    .match(probe, {
      name: 'probe',
      afterMatch: 'skipPastLastEvent',
      select: ({ small, big }, { startMs, endMs }) => ({
        tries: small.length,
        amount: big[0]!.amount,
        tookMs: endMs - startMs,
      }),
      resultSerde: Serdes.json<Alert>(),
    })
    .to('alerts');
  // #endregion
  return builder.build();
}
