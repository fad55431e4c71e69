// The code shown in docs/guide/global-tables.md, region by region. guide-global.spec.ts holds the two together and runs each.
// #region imports
import { Serdes } from '#libs/serde';
import { Consumed, Materialized, StreamsBuilder } from '#libs/topology';
// #endregion
import type { Topology } from '#libs/topology';

interface Payment {
  readonly currency: string;
  readonly amount: number;
}

export function inEuros(): Topology {
  // #region join
  const builder = new StreamsBuilder();
  const rates = builder.globalTable(
    'rates',
    Consumed.with(Serdes.string(), Serdes.json<number>()),
    Materialized.as('rates'),
  );
  builder
    .stream('payments', Consumed.with(Serdes.string(), Serdes.json<Payment>()))
    .join(
      rates,
      (_id, payment) => payment.currency,
      ({ amount }, rate) => amount * rate,
    )
    .to('euros', { valueSerde: Serdes.json<number>() });
  // #endregion
  return builder.build();
}
