// Specifies what signals do to the applications of a process, on a process that is not this one.
import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '#libs/millrace';
import { ProcessSignals } from '../src/signals/process-signals.ts';
import type { Drainable, SignalledProcess } from '../src/signals/process-signals.ts';

class FakeProcess extends EventEmitter implements SignalledProcess {
  readonly pid = 42;
  readonly killed: [number, NodeJS.Signals][] = [];

  kill(pid: number, signal: NodeJS.Signals): void {
    this.killed.push([pid, signal]);
  }
}

class FakeApplication implements Drainable {
  readonly applicationId = 'fake';
  readonly drained = Promise.withResolvers<undefined>();
  stops = 0;

  stop(): Promise<void> {
    this.stops++;
    return this.drained.promise;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(count: number): {
  ofProcess: FakeProcess;
  signals: ProcessSignals;
  applications: FakeApplication[];
} {
  const ofProcess = new FakeProcess();
  const signals = new ProcessSignals(ofProcess);
  const applications = Array.from({ length: count }, () => new FakeApplication());
  for (const application of applications) signals.add(application, silentLogger);
  return { ofProcess, signals, applications };
}

describe('a signal', () => {
  it('drains every application, and ends the process once the last one is drained', async () => {
    const { ofProcess, applications } = setUp(2);
    ofProcess.emit('SIGTERM', 'SIGTERM');
    expect(applications.map(({ stops }) => stops)).toEqual([1, 1]);
    applications[0]!.drained.resolve(undefined);
    await turn();
    expect(ofProcess.killed).toEqual([]);
    applications[1]!.drained.reject(new Error('no broker'));
    await turn();
    expect(ofProcess.killed).toEqual([[42, 'SIGTERM']]);
    expect(ofProcess.listenerCount('SIGTERM')).toBe(0);
  });

  it('that comes twice, as from nest start on Ctrl-C, ends nothing early; the third time it does', () => {
    const { ofProcess, applications } = setUp(1);
    ofProcess.emit('SIGINT', 'SIGINT');
    ofProcess.emit('SIGINT', 'SIGINT');
    expect(ofProcess.killed).toEqual([]);
    expect(applications[0]!.stops).toBe(1);
    ofProcess.emit('SIGINT', 'SIGINT');
    expect(ofProcess.killed).toEqual([[42, 'SIGINT']]);
  });

  it('leaves the end to others who listen', async () => {
    const { ofProcess, applications } = setUp(1);
    ofProcess.on('SIGTERM', () => undefined);
    ofProcess.emit('SIGTERM', 'SIGTERM');
    applications[0]!.drained.resolve(undefined);
    await turn();
    expect(ofProcess.killed).toEqual([]);
    expect(ofProcess.listenerCount('SIGTERM')).toBe(1);
  });
});

describe('without an application that runs', () => {
  it('signals are nobody’s concern', () => {
    const { ofProcess, signals, applications } = setUp(2);
    signals.remove(applications[0]!);
    signals.remove(applications[0]!);
    expect(ofProcess.listenerCount('SIGTERM')).toBe(1);
    signals.remove(applications[1]!);
    expect(ofProcess.listenerCount('SIGTERM')).toBe(0);
    signals.add(applications[0]!, silentLogger);
    expect(ofProcess.listenerCount('SIGHUP')).toBe(1);
  });
});
