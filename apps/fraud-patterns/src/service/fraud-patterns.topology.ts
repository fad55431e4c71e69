// Owns what the service computes: transactions that are in time go through three patterns and a limit; what these find freezes the card.
import {
  Consumed,
  Materialized,
  OutputTag,
  Produced,
  Serdes,
  WatermarkStrategy,
  seconds,
} from '#libs/millrace';
import type { StreamsBuilder } from '#libs/millrace';
import { Topology } from '#libs/nestjs';
import type { TopologyClass } from '#libs/nestjs';
import { TOPICS } from '../data/topics.ts';
import type { Alert, CardEvent, SpendingLimitRule, Transaction } from '../data/transaction.ts';
import { cardStatus } from './card-status.ts';
import { Distances } from './distances.ts';
import { cardProbe, cardProbeAlert } from './patterns/card-probe.ts';
import { guessedPin, guessedPinAlert } from './patterns/guessed-pin.ts';
import { impossibleTravel, impossibleTravelAlert } from './patterns/impossible-travel.ts';
import { spendingLimit } from './spending-limit.ts';

/** Terminals deliver within half a minute; what comes later than that is late. */
export const OUT_OF_ORDER_MS = seconds(30);

const text = Serdes.string();
const transaction = Serdes.json<Transaction>();
const alert = Serdes.json<Alert>();

@Topology()
export class FraudPatternsTopology implements TopologyClass {
  constructor(private readonly distances: Distances) {}

  build(builder: StreamsBuilder): void {
    const late = OutputTag.of<Transaction>('late', transaction);
    const punctual = builder
      .stream<string, Transaction>(
        TOPICS.transactions,
        Consumed.with(text, transaction, {
          timestampExtractor: ({ at }) => at,
          watermarks: WatermarkStrategy.boundedOutOfOrderness(OUT_OF_ORDER_MS),
        }),
      )
      .groupByKey()
      .process<Transaction, Record<string, never>>({
        name: 'punctual',
        valueSerde: transaction,
        onRecord(value, context) {
          if (context.timestamp < context.eventTime) context.output(late, value);
          else context.emit(value);
        },
      });
    punctual.sideOutput(late).to(TOPICS.late, Produced.with(text, transaction));

    const byCard = punctual.groupByKey();
    const inShops = punctual.filter((_card, { channel }) => channel === 'store').groupByKey();
    const rules = builder.globalTable(
      TOPICS.rules,
      Consumed.with(text, Serdes.json<SpendingLimitRule>()),
      Materialized.as('rules'),
    );
    const alerts = byCard
      .match(cardProbe, { name: 'card-probe', select: cardProbeAlert, ...inEventTime })
      .merge(byCard.match(guessedPin, { name: 'guessed-pin', select: guessedPinAlert, ...inEventTime }))
      .merge(
        inShops.match(impossibleTravel(this.distances), {
          name: 'impossible-travel',
          select: impossibleTravelAlert,
          ...inEventTime,
        }),
      )
      .merge(byCard.process(spendingLimit(rules)));
    alerts.to(TOPICS.alerts, Produced.with(text, alert));

    byCard
      .connect(alerts.groupByKey())
      .process(cardStatus)
      .to(TOPICS.cardEvents, Produced.with(text, Serdes.json<CardEvent>()));
  }
}

/** Events are looked at in the order of their times, not of their arrival; each transaction is part of one match of a kind. */
const inEventTime = { order: 'eventTime', afterMatch: 'skipPastLastEvent', resultSerde: alert } as const;
