import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { choosePort } from '../src/index.ts';

describe('the choice of a port', () => {
  let taken: Server;
  let port: number;

  beforeEach(async () => {
    taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    port = (taken.address() as AddressInfo).port;
  });

  afterEach(() => new Promise((resolve) => taken.close(resolve)));

  it('takes the preferred one where it is free, and another where it is not', async () => {
    const other = await choosePort(null, port);
    expect(other).not.toBe(port);
    expect(await choosePort(null, other)).toBe(other);
  });

  it('leaves one that was asked for to who listens on it, taken or not', async () => {
    expect(await choosePort(port, 8_075)).toBe(port);
  });

  it('takes any that is free for 0', async () => {
    expect(await choosePort(0, port)).toBeGreaterThan(0);
  });
});
