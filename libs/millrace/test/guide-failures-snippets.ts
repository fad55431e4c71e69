// What docs/guide/failures.md shows, run by guide-failures.spec.ts.
// #region imports
import {
  Consumed,
  FailurePolicy,
  Named,
  Produced,
  Serdes,
  StreamsBuilder,
  peekDeadLetters,
  redriveDeadLetters,
  summarizeDeadLetters,
} from '#libs/millrace';
import type { KafkaConnection, RedriveReport } from '#libs/millrace';
// #endregion

export interface Order {
  readonly id: string;
  readonly amount: number;
}

class ServiceBusy extends Error {}

export const service = { isBusy: false };

function charge(order: Order): Order {
  if (order.amount < 0) throw new RangeError('a negative amount');
  if (service.isBusy) throw new ServiceBusy('try again later');
  return order;
}

const text = Serdes.string();
const order = Serdes.json<Order>();

export function policies(): StreamsBuilder {
  const builder = new StreamsBuilder();
  // #region policies
  const orders = builder.stream<string, Order>(
    'orders',
    Consumed.with(text, order, { failurePolicy: FailurePolicy.deadLetter('orders-dead') }),
  );
  orders
    .mapValues(charge, Named.as('charge', { failurePolicy: FailurePolicy.retry({ attempts: 5 }) }))
    .to('charged', Produced.with(text, order, { failurePolicy: FailurePolicy.skip() }));
  // #endregion
  return builder;
}

export function composed(): StreamsBuilder {
  const builder = new StreamsBuilder();
  // #region composed
  const policy = FailurePolicy.retry({
    attempts: 3,
    backoff: '200 ms',
    then: FailurePolicy.retryTopics({
      delays: ['10 s', '1 min', '10 min'],
      then: FailurePolicy.deadLetter('orders-dead'),
    }),
  });
  builder
    .stream<string, Order>('orders', Consumed.with(text, order, { failurePolicy: policy }))
    .mapValues(charge)
    .to('charged', Produced.with(text, order));
  // #endregion
  return builder;
}

// #region retryOn
const whenBusy = FailurePolicy.retry({
  attempts: 10,
  backoff: '500 ms',
  backoffMax: '30 s',
  maxMs: '5 min',
  retryOn: (error) => error instanceof ServiceBusy,
  then: FailurePolicy.deadLetter('orders-dead'),
});
// #endregion

export function whileBusy(): StreamsBuilder {
  const builder = new StreamsBuilder();
  builder
    .stream<string, Order>('orders', Consumed.with(text, order, { failurePolicy: whenBusy }))
    .mapValues(charge)
    .to('charged', Produced.with(text, order));
  return builder;
}

export async function putBack(kafka: KafkaConnection): Promise<RedriveReport> {
  // #region redrive
  const letters = { kafka, applicationId: 'billing', topic: 'orders-dead' };

  const { pending, byException } = await summarizeDeadLetters(letters);
  console.log(`${pending} wait`, byException);
  for (const { origin, message, value } of await peekDeadLetters({ ...letters, limit: 3 }))
    console.log(origin, message, value);

  const filter = { exceptions: ['ServiceBusy'], failed: { from: Date.UTC(2026, 0, 1) } };
  const report = await redriveDeadLetters({ ...letters, filter, rate: 1_000, redrivesMax: 3 });
  // #endregion
  return report;
}
