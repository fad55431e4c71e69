// Owns the interface of two grouped streams that are processed together.
import type { KeyedContext, KeyedProcessFunction } from '../keyed/keyed-process.ts';
import type { StateDescriptors } from '../keyed/state-descriptors.ts';
import type { KStream } from './types.ts';

/** A keyed process function on two streams: what both leave in `context.state` is in common. */
export interface ConnectedProcessFunction<
  K,
  V,
  VO,
  R,
  S extends StateDescriptors,
  B = object,
> extends KeyedProcessFunction<K, V, R, S, B> {
  onOther(value: VO, context: KeyedContext<K, R, S, B>): void;
}

export interface ConnectedKGroupedStreams<K, V, VO> {
  /**
   * As `KGroupedStream.process`, on the records of both streams: `onRecord` takes this one's, `onOther` the other's. Where a key was changed
   * upstream the repartition topics are `<name>-this` and `<name>-other`, unless `Grouped` names them. The streams are co-partitioned.
   *
   *     orders.groupByKey().connect(payments.groupByKey()).process({ name: 'match', state, onRecord(order, context) { … }, onOther(payment, context) { … } })
   */
  process<R, S extends StateDescriptors, B = object>(
    fn: ConnectedProcessFunction<K, V, VO, R, S, B>,
  ): KStream<K, R>;
}
