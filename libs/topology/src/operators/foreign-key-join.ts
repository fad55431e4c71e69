// Owns the five steps of a foreign-key join, in the order in which a change goes through them: send a subscription, keep it, answer it,
// answer all of a foreign key again when its value changes, and join what comes back.
// Source of the rules: the processors of `foreignkeyjoin` of Kafka Streams (KIP-213).
import type { BinaryString } from '#libs/core';
import { compileCodec } from '#libs/serde';
import type { AnySerde } from '../graph.ts';
import type { RecordMetadata, StoreEntry } from '../ports.ts';
import { Instruction } from './foreign-key-messages.ts';
import type { StoredSubscription, Subscription, SubscriptionResponse } from './foreign-key-messages.ts';
import type { Operator } from './operator.ts';
import { toEachStream, toEachTable } from './operator.ts';
import { openView, readsOfView, storesOfView } from './table-view.ts';
import type { TableJoiner, TableView } from './table-view.ts';
import { valueHash } from './value-hash.ts';

export type ForeignKeyExtractor = (value: unknown, key: unknown, metadata: RecordMetadata) => unknown;

export interface SubscriptionStore {
  readonly name: string;
  readonly foreignKeySerde: AnySerde;
  readonly primaryKeySerde: AnySerde;
}

/** Partition of a task `<sub-topology>_<partition>`. */
const partitionOf = (taskId: string): number => Number(taskId.slice(taskId.indexOf('_') + 1));

/**
 * Tells the other table which of its keys each row wants: by foreign key, at most one to the old and one to the new. A row whose
 * foreign key is null has no partner: an inner join drops it, a left join sends it all the same, to get the answer that there is none.
 */
export function subscriptionSendOperator(
  extractor: ForeignKeyExtractor,
  serdes: { readonly foreignKey: AnySerde; readonly value: AnySerde },
  left: boolean,
): Operator {
  return {
    takes: 'table',
    gives: 'stream',
    key: 'changed',
    value: 'changed',
    stores: [],
    reads: [],
    runsUserCode: true,
    fold(site, children) {
      const next = toEachStream(children);
      const foreignKeys = compileCodec(serdes.foreignKey);
      const values = compileCodec(serdes.value);
      const { context } = site;
      const partition = partitionOf(site.taskId);
      const foreignKeyOf = (key: unknown, value: unknown): unknown => {
        if (value === null) return null;
        try {
          return extractor(value, key, context) ?? null;
        } catch (error) {
          throw site.blame(error);
        }
      };
      return (key, newValue, oldValue, timestamp) => {
        const oldForeignKey = foreignKeyOf(key, oldValue);
        const newForeignKey = foreignKeyOf(key, newValue);
        const hash = newValue === null ? null : valueHash(values.toBinary(newValue));
        const send = (foreignKey: unknown, instruction: Instruction): void =>
          next(
            foreignKey,
            { instruction, primaryKey: key, hash, partition } satisfies Subscription,
            timestamp,
          );
        const isChanged = (): boolean =>
          newForeignKey === null ||
          foreignKeys.toBinary(newForeignKey) !== foreignKeys.toBinary(oldForeignKey);

        if (left) {
          if (newValue === null && oldValue === null) return;
          if (oldForeignKey !== null && isChanged()) send(oldForeignKey, Instruction.DELETE);
          send(newForeignKey, Instruction.ALWAYS_RESPOND);
          return;
        }
        if (newForeignKey === null) {
          if (newValue !== null) site.drop('MILLRACE_NULL_KEY', 'null foreign key in a foreign-key join');
          if (oldForeignKey !== null) send(oldForeignKey, Instruction.DELETE_AND_RESPOND);
        } else if (oldForeignKey !== null && isChanged()) {
          send(oldForeignKey, Instruction.DELETE);
          // The old row may have had a result, which is to go.
          send(newForeignKey, Instruction.ALWAYS_RESPOND);
        } else {
          // Without a value there was no result before either.
          send(newForeignKey, Instruction.RESPOND_IF_VALUE);
        }
      };
    },
  };
}

/** Keeps subscriptions by foreign key, and passes them on. State: one row for each row of the left table with a foreign key. */
export function subscriptionReceiveOperator(spec: SubscriptionStore): Operator {
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'kept',
    value: 'kept',
    stores: [spec.name],
    // The primary key is in the value: it is not known before.
    reads: [],
    runsUserCode: false,
    fold(site, children) {
      const next = toEachStream(children);
      const store = site.orderedStore(spec.name);
      const { fromSource, codec } = site.keyEncoder(spec.foreignKeySerde);
      const primaryKeys = compileCodec(spec.primaryKeySerde);
      const { context } = site;
      return (foreignKey, given, timestamp) => {
        const { instruction, primaryKey, hash, partition } = given as Subscription;
        if (foreignKey === null || foreignKey === undefined) {
          if (instruction === Instruction.ALWAYS_RESPOND) next(null, given, timestamp);
          else site.drop('MILLRACE_NULL_KEY', 'null foreign key in a subscription');
          return;
        }
        const group = fromSource ? context.rawKey! : codec.toBinary(foreignKey);
        const row = store.row(group, primaryKeys.toBinary(primaryKey));
        if (instruction === Instruction.DELETE || instruction === Instruction.DELETE_AND_RESPOND) {
          store.set(row, null, timestamp);
        } else {
          store.set(row, { hash, partition } satisfies StoredSubscription, timestamp);
        }
        next(foreignKey, given, timestamp);
      };
    },
  };
}

/** Answers a subscription with the other table's value as it is at that moment. The answer has the higher of the two timestamps. */
export function subscriptionJoinOperator(foreign: TableView): Operator {
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'changed',
    value: 'changed',
    stores: storesOfView(foreign),
    reads: readsOfView(foreign),
    runsUserCode: foreign.steps.length > 0 || foreign.joined !== undefined,
    fold(site, children) {
      const next = toEachStream(children);
      const reader = openView(site, foreign);
      return (foreignKey, given, timestamp) => {
        const { instruction, primaryKey, hash, partition } = given as Subscription;
        if (instruction === Instruction.DELETE) return;
        let foreignValue: unknown = null;
        let time = timestamp;
        if (foreignKey !== null) {
          foreignValue = reader.get(foreignKey);
          time = Math.max(timestamp, reader.timestamp);
        }
        if (instruction === Instruction.RESPOND_IF_VALUE && foreignValue === null) return;
        if (instruction === Instruction.DELETE_AND_RESPOND) foreignValue = null;
        next(primaryKey, { hash, foreignValue, partition } satisfies SubscriptionResponse, time);
      };
    },
  };
}

/** A change of the other table: all subscriptions of its key are answered anew, in the order of their primary keys' bytes. */
export function foreignTableJoinOperator(spec: SubscriptionStore): Operator {
  return {
    takes: 'table',
    gives: 'stream',
    key: 'changed',
    value: 'changed',
    stores: [spec.name],
    reads: [
      {
        keySerde: spec.foreignKeySerde,
        ahead: { kind: 'range', store: spec.name, from: () => '' as BinaryString },
      },
    ],
    runsUserCode: false,
    fold(site, children) {
      const next = toEachStream(children);
      const store = site.orderedStore(spec.name);
      const { fromSource, codec } = site.keyEncoder(spec.foreignKeySerde);
      const primaryKeys = compileCodec(spec.primaryKeySerde);
      const { context } = site;
      let foreignValue: unknown = null;
      let timestamp = 0;
      const answer = (row: StoreEntry): void => {
        const { hash, partition } = store.value(row) as StoredSubscription;
        const primaryKey = primaryKeys.fromBinary(store.suffixOf(row), false);
        next(primaryKey, { hash, foreignValue, partition } satisfies SubscriptionResponse, timestamp);
      };
      return (key, newValue, _oldValue, givenTimestamp) => {
        if (key === null || key === undefined) {
          site.drop('MILLRACE_NULL_KEY', 'null key in a foreign-key join');
          return;
        }
        foreignValue = newValue;
        timestamp = givenTimestamp;
        store.range(fromSource ? context.rawKey! : codec.toBinary(key), null, null, answer);
      };
    },
  };
}

/**
 * Joins an answer with the row that asked, unless the row has another value by now: then another answer is on its way. A stale answer
 * is no loss, so it is not counted.
 */
export function responseJoinOperator(
  view: TableView,
  valueSerde: AnySerde,
  joiner: TableJoiner,
  left: boolean,
): Operator {
  return {
    takes: 'stream',
    gives: 'stream',
    key: 'kept',
    value: 'changed',
    stores: storesOfView(view),
    reads: readsOfView(view),
    runsUserCode: true,
    fold(site, children) {
      const next = toEachStream(children);
      const reader = openView(site, view);
      const values = compileCodec(valueSerde);
      const { context } = site;
      return (key, given, timestamp) => {
        const { hash, foreignValue } = given as SubscriptionResponse;
        const value = reader.get(key);
        if (hash !== (value === null ? null : valueHash(values.toBinary(value)))) return;
        if (value === null || (foreignValue === null && !left)) {
          next(key, null, timestamp);
          return;
        }
        let joined: unknown;
        try {
          joined = joiner(value, foreignValue, key, context) ?? null;
        } catch (error) {
          throw site.blame(error);
        }
        next(key, joined, timestamp);
      };
    },
  };
}

/** The joined table, where it is not kept: its changes as they come, without old values. */
export const unkeptTableOperator: Operator = {
  takes: 'stream',
  gives: 'table',
  key: 'kept',
  value: 'kept',
  stores: [],
  reads: [],
  runsUserCode: false,
  fold(_site, children) {
    const next = toEachTable(children);
    return (key, value, timestamp) => next(key, value, null, timestamp);
  },
};
