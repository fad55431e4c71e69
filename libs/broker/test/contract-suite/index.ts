// The contract suite of libs/broker: the same tests for every cluster its state machines run on. Call `brokerContract` within
// a `describe`; the environment is asked for in hooks and tests only.
import { afterEach, beforeEach, describe } from '@jest/globals';
import { adminContract } from './admin-contract.ts';
import { Bench } from './bench.ts';
import type { ContractEnvironment } from './environment.ts';
import { fencingContract } from './fencing-contract.ts';
import { groupContract } from './group-contract.ts';
import { readerContract } from './reader-contract.ts';
import { writerContract } from './writer-contract.ts';

export type { ClientOptions, ContractEnvironment, Fault, FaultRule } from './environment.ts';

export function brokerContract(environment: () => ContractEnvironment): void {
  let bench: Bench | undefined;
  beforeEach(() => {
    bench = new Bench(environment());
  });
  afterEach(() => bench?.close());
  const current = (): Bench => bench!;

  describe('writing', () => writerContract(current));
  describe('fencing', () => fencingContract(current));
  describe('reading', () => readerContract(current));
  describe('membership', () => groupContract(current));
  describe('administration', () => adminContract(current));
}
