// The code shown in docs/guide/processors.md, region by region. guide-processors.spec.ts holds the two together and runs each.
// #region imports
import { Serdes } from '#libs/serde';
import { Consumed, OutputTag, Produced, Stores, StreamsBuilder, TopologyBuilder } from '#libs/topology';
import type { FixedKeyProcessorContext, Processor, ProcessorContext, ProcessorRecord } from '#libs/topology';
// #endregion
import type { KStream, Topology } from '#libs/topology';

// #region order
interface Order {
  readonly id: string;
  readonly amount: number;
}
// #endregion

const ordersOf = (builder: StreamsBuilder): KStream<string, Order> =>
  builder.stream<string, Order>('orders', Consumed.with(Serdes.string(), Serdes.json<Order>()));

export function functionTopology(): Topology {
  const builder = new StreamsBuilder();
  const orders = ordersOf(builder);
  // #region function
  const seen = Stores.keyValueStore('seen-orders', {
    keySerde: Serdes.string(),
    valueSerde: Serdes.boolean(),
    ordered: false,
  });
  orders
    .process(
      (record, context) => {
        const isNew = context.getStateStore(seen).putIfAbsent(record.value.id, true) === null;
        if (isNew) context.forward(record);
      },
      'first-only',
      seen,
    )
    .to('unique-orders', { keySerde: Serdes.string(), valueSerde: Serdes.json() });
  // #endregion
  return builder.build();
}

// #region class
const totals = Stores.keyValueStore('totals', {
  keySerde: Serdes.string(),
  valueSerde: Serdes.float64(),
});

class Summarize implements Processor<string, Order, string, string> {
  #context!: ProcessorContext<string, string>;

  init(context: ProcessorContext<string, string>): void {
    this.#context = context;
    context.schedule(60_000, 'wall-clock', (now) => this.#report(now));
  }

  process(record: ProcessorRecord<string, Order>): void {
    const store = this.#context.getStateStore(totals);
    store.put(record.key, (store.get(record.key) ?? 0) + record.value.amount);
  }

  #report(now: number): void {
    const store = this.#context.getStateStore(totals);
    for (const [customer, total] of store.all()) {
      this.#context.forward({ key: customer, value: `spent ${total}`, timestamp: now });
      store.delete(customer);
    }
  }
}
// #endregion

export function classTopology(): Topology {
  const builder = new StreamsBuilder();
  const orders = ordersOf(builder);
  // #region connected
  orders
    .process(Summarize, 'summarize', totals)
    .to('summaries', { keySerde: Serdes.string(), valueSerde: Serdes.string() });
  // #endregion
  return builder.build();
}

export function valuesTopology(): Topology {
  const builder = new StreamsBuilder();
  const orders = ordersOf(builder);
  // #region values
  const rejected = OutputTag.of('rejected', Serdes.string());
  const checked = orders.processValues((record, context) => {
    if (record.value.amount > 0) context.forward(record);
    else context.output(rejected, { value: `${record.value.id} costs ${record.value.amount}` });
  });
  checked.to('checked-orders', { valueSerde: Serdes.json() });
  checked.sideOutput(rejected).to('rejected-orders');
  // #endregion
  return builder.build();
}

export function windowsTopology(): Topology {
  const builder = new StreamsBuilder();
  const orders = ordersOf(builder);
  // #region windows
  const recent = Stores.windowStore('recent-amounts', {
    keySerde: Serdes.string(),
    valueSerde: Serdes.float64(),
    windowSizeMs: 1,
    retentionMs: 3_600_000,
    retainDuplicates: true,
  });
  orders
    .processValues(
      ({ key, value, timestamp }, context: FixedKeyProcessorContext<number>) => {
        const store = context.getStateStore(recent);
        store.put(key, value.amount, timestamp);
        const hour = store.fetch(key, timestamp - 3_600_000, timestamp);
        context.forward({ value: hour.reduce((sum, [, amount]) => sum + amount, 0) });
      },
      'last-hour',
      recent,
    )
    .to('last-hour', { valueSerde: Serdes.float64() });
  // #endregion
  return builder.build();
}

export function nodesTopology(): Topology {
  // #region nodes
  const topology = new TopologyBuilder()
    .addSource('orders', Consumed.with(Serdes.string(), Serdes.json<Order>()), 'orders')
    .addProcessor('summarize', Summarize, 'orders')
    .addStateStore(totals, 'summarize')
    .addSink('out', 'summaries', Produced.with(Serdes.string(), Serdes.string()), 'summarize')
    .build();
  // #endregion
  return topology;
}
