// The code shown in docs/guide/tables.md, region by region. guide-tables.spec.ts holds the two together and runs each.
// #region imports
import { Serdes } from '#libs/serde';
import { Consumed, Grouped, Materialized, minutes, StreamsBuilder, TimeWindows } from '#libs/topology';
// #endregion
import type { Topology } from '#libs/topology';

interface User {
  readonly city: string;
  readonly spent: number;
}

export function newestTopology(): Topology {
  const builder = new StreamsBuilder();
  const positions = builder.stream<string, string | null>(
    'positions',
    Consumed.with(Serdes.string(), Serdes.string()),
  );
  // #region newest
  const newest = positions
    .selectKey((vehicle) => vehicle.toUpperCase())
    .toTable(Materialized.as('newest-position', { keySerde: Serdes.string() }));
  newest
    .toStream((vehicle, position) => position ?? vehicle)
    .to('by-position', { keySerde: Serdes.string() });
  // #endregion
  return builder.build();
}

export function groupedTopology(): Topology {
  const builder = new StreamsBuilder();
  // #region grouped
  const users = builder.table(
    'users',
    Consumed.with(Serdes.string(), Serdes.json<User>()),
    Materialized.as('users'),
  );
  const byCity = users.groupBy(
    (_id, user) => [user.city, user.spent],
    Grouped.with(Serdes.string(), Serdes.float64(), { name: 'by-city' }),
  );
  byCity.count(Materialized.as('users-by-city')).toStream().to('users-by-city');
  byCity
    .reduce(
      (sum, spent) => sum + spent,
      (sum, spent) => sum - spent,
      Materialized.as('spent-by-city'),
    )
    .toStream()
    .to('spent-by-city');
  // #endregion
  return builder.build();
}

export function collectedTopology(): Topology {
  const builder = new StreamsBuilder();
  const users = builder.table(
    'users',
    Consumed.with(Serdes.string(), Serdes.json<User>()),
    Materialized.as('users'),
  );
  // #region collected
  users
    .groupBy((id, user) => [user.city, id], Grouped.with(Serdes.string(), Serdes.string()))
    .aggregate(
      () => [] as string[],
      (_city, id, ids) => [...ids, id],
      (_city, id, ids) => (ids.length === 1 ? null : ids.filter((other) => other !== id)),
      Materialized.as('ids-by-city', { valueSerde: Serdes.json<string[]>() }),
    )
    .toStream()
    .to('ids-by-city');
  // #endregion
  return builder.build();
}

export function cogroupedTopology(): Topology {
  const builder = new StreamsBuilder();
  const text = Consumed.with(Serdes.string(), Serdes.string());
  const clicks = builder.stream<string, string>('clicks', text);
  const orders = builder.stream<string, string>('orders', text);
  // #region cogrouped
  interface Profile {
    clicks: number;
    orders: string[];
  }
  const profiles = clicks
    .groupByKey()
    .cogroup<Profile>((_user, _page, profile) => ({ ...profile, clicks: profile.clicks + 1 }))
    .cogroup(orders.groupByKey(), (_user, order, profile) => ({
      ...profile,
      orders: [...profile.orders, order],
    }));
  const empty = (): Profile => ({ clicks: 0, orders: [] });
  const valueSerde = Serdes.json<Profile>();
  profiles.aggregate(empty, Materialized.as('profiles', { valueSerde })).toStream().to('profiles');
  profiles
    .windowedBy(TimeWindows.ofSizeAndGrace(minutes(60), minutes(5)))
    .aggregate(empty, Materialized.as('hourly-profiles', { valueSerde }))
    .toStream((user) => `${user.key}@${user.window.start}`)
    .to('hourly-profiles', { keySerde: Serdes.string() });
  // #endregion
  return builder.build();
}

export function transformedTopology(): Topology {
  const builder = new StreamsBuilder();
  const users = builder.table(
    'users',
    Consumed.with(Serdes.string(), Serdes.json<User>()),
    Materialized.as('users'),
  );
  // #region transformed
  const levels = users.transformValues(
    (_id, user, context) =>
      user === null ? null : `${user.spent > 100 ? 'gold' : 'plain'} since ${context.currentStreamTimeMs()}`,
    Materialized.as('levels', { valueSerde: Serdes.string() }),
  );
  levels.toStream().to('levels');
  // #endregion
  return builder.build();
}
