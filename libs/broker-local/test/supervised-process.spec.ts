import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { SupervisedProcess } from '../src/supervised-process.ts';

const WAITS = ['-e', "console.log('up'); setInterval(() => {}, 60000)"];

describe('a supervised process', () => {
  let folder: string;
  let log: string;
  let supervised: SupervisedProcess;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-supervised-'));
    log = join(folder, 'out.log');
    supervised = new SupervisedProcess(folder);
  });
  afterEach(() => supervised.close());

  it('runs again after it was ended, and writes to the same log', async () => {
    await supervised.start(process.execPath, ['-e', "console.log('first')"], log);
    await supervised.exited;
    expect(supervised.pid).toBeUndefined();
    await supervised.start(process.execPath, WAITS, log);
    const { pid = 0 } = supervised;
    expect(pid).toBeGreaterThan(0);
    await supervised.end('SIGKILL');
    expect(supervised.pid).toBeUndefined();
    expect(() => process.kill(pid, 0)).toThrow();
    expect(readFileSync(log, 'utf8')).toContain('first\n');
  });

  it('is killed, and its folder removed, when it is closed', async () => {
    await supervised.start(process.execPath, WAITS, log);
    const { pid = 0 } = supervised;
    await supervised.close();
    expect(() => process.kill(pid, 0)).toThrow();
    expect(existsSync(folder)).toBe(false);
  });

  it('fails to start a command that does not exist', async () => {
    await expect(supervised.start('/no/such/command', [], log)).rejects.toThrow(/ENOENT/);
  });
});
