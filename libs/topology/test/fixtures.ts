// The serdes and sources that the specs of this library share.
import { Serdes } from '#libs/serde';
import { Consumed, StreamsBuilder } from '#libs/topology';
import type { KStream, Topology } from '#libs/topology';
import { Driver } from './driver.ts';

export const text = Serdes.string();
export const integer = Serdes.safeInteger();
export const json = Serdes.json();

export const textToText = Consumed.with(text, text);
export const textToInteger = Consumed.with(text, integer);

/** A topology of one stream of text by text, read from `in`. */
export function overStream(
  draw: (stream: KStream<string, string>, builder: StreamsBuilder) => void,
): Topology {
  const builder = new StreamsBuilder();
  draw(builder.stream<string, string>('in', textToText), builder);
  return builder.build();
}

export function driverOverStream(
  draw: (stream: KStream<string, string>, builder: StreamsBuilder) => void,
): Driver {
  return new Driver(overStream(draw));
}

/** The error that a call throws. */
export function thrownBy(
  action: () => unknown,
): Error & { context: { faults: { path: string; problem: string }[] } } {
  try {
    action();
  } catch (error) {
    return error as Error & { context: { faults: { path: string; problem: string }[] } };
  }
  throw new Error('nothing was thrown');
}
