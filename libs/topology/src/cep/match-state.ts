// Owns the bytes of a key's partial matches. Events that several of them took are written once.
//
//   version (1) ++ count of events ++ (timestamp (8) ++ length ++ event)* ++ count of runs ++
//   (stage ++ count ++ ways ++ passed ++ count of taken ++ (stage ++ index of event)*)*          numbers of 4 bytes
import { orderedTime, orderedUint32, readOrderedTime, readOrderedUint32 } from '#libs/core';
import type { BinaryString } from '#libs/core';
import { binaryFromBytes, bytesFromBinary, compileCodec, createSerde } from '#libs/serde';
import type { Serde } from '#libs/serde';
import type { Occurrence, Run, TakenEvent } from './matcher.ts';
import type { Stage } from './pattern.ts';

const VERSION = '\u0001';

/** Named after the stages too: partial matches know theirs by its place, so those of other stages must not be read. */
export function runsSerde<V>(eventSerde: Serde<V>, stages: readonly Stage<V>[]): Serde<readonly Run<V>[]> {
  const codec = compileCodec(eventSerde);
  const names = stages.map(({ name }) => JSON.stringify(name)).join(', ');
  return createSerde<readonly Run<V>[]>({
    name: `partial-matches(${eventSerde.name}; ${names})`,
    inner: [{ serde: eventSerde }],
    serialize: (runs) => bytesFromBinary(write(runs, (event) => codec.toBinary(event))),
    deserialize: (bytes) => read(binaryFromBytes(bytes), (event) => codec.fromBinary(event, false)),
  });
}

function write<V>(runs: readonly Run<V>[], encode: (event: V) => BinaryString): BinaryString {
  const indexes = new Map<Occurrence<V>, number>();
  let events = '';
  let written = '';
  for (const { stage, count, ways, passed, taken } of runs) {
    written += orderedUint32(stage) + orderedUint32(count) + orderedUint32(ways);
    written += orderedUint32(passed ? 1 : 0) + orderedUint32(taken.length);
    for (const { stage: ofStage, occurrence } of taken) {
      let index = indexes.get(occurrence);
      if (index === undefined) {
        indexes.set(occurrence, (index = indexes.size));
        const bytes = encode(occurrence.event);
        events += orderedTime(occurrence.timestamp) + orderedUint32(bytes.length) + bytes;
      }
      written += orderedUint32(ofStage) + orderedUint32(index);
    }
  }
  return (VERSION +
    orderedUint32(indexes.size) +
    events +
    orderedUint32(runs.length) +
    written) as BinaryString;
}

function read<V>(bytes: BinaryString, decode: (event: BinaryString) => V): Run<V>[] {
  let at = VERSION.length;
  const next = (): number => {
    at += 4;
    return readOrderedUint32(bytes, at - 4);
  };
  const occurrences: Occurrence<V>[] = [];
  for (let left = next(); left > 0; left--) {
    const timestamp = readOrderedTime(bytes, at);
    at += 8;
    const length = next();
    at += length;
    const event = decode(bytes.slice(at - length, at) as BinaryString);
    occurrences.push({ event, timestamp });
  }
  const runs: Run<V>[] = [];
  for (let left = next(); left > 0; left--) {
    const stage = next();
    const count = next();
    const ways = next();
    const passed = next() === 1;
    const taken: TakenEvent<V>[] = [];
    for (let events = next(); events > 0; events--) {
      const ofStage = next();
      taken.push({ stage: ofStage, occurrence: occurrences[next()]! });
    }
    runs.push({ stage, count, ways, passed, taken });
  }
  return runs;
}
