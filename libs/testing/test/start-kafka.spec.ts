// Specifies which broker a fixture is, without starting any: the address of KAFKA_BROKERS, or a container that only seems to be one.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { KafkaContainer } from '@testcontainers/kafka';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startKafka } from '#libs/testing';
import type { StartableKafkaContainer } from '#libs/testing';

const VARIABLES = ['KAFKA_BROKERS', 'DOCKER_HOST'] as const;
let before: (string | undefined)[];
beforeEach(() => {
  before = VARIABLES.map((name) => process.env[name]);
});
afterEach(() => {
  for (const [index, name] of VARIABLES.entries()) {
    if (before[index] === undefined) delete process.env[name];
    else process.env[name] = before[index];
  }
});

class FakeContainer implements StartableKafkaContainer {
  readonly calls: string[] = [];

  async start(): Promise<Awaited<ReturnType<StartableKafkaContainer['start']>>> {
    this.calls.push('start');
    return {
      getHost: () => 'docker-host',
      getMappedPort: (port) => port + 1,
      stop: async () => void this.calls.push('stop'),
    };
  }
}

describe('startKafka', () => {
  it('takes the broker of KAFKA_BROKERS before any container, and does not end it', async () => {
    process.env['KAFKA_BROKERS'] = 'a:1, b:2';
    const container = new FakeContainer();
    const fixture = await startKafka({ container: () => container });
    expect(fixture).toMatchObject({
      source: 'env',
      brokers: ['a:1', 'b:2'],
      kafka: { brokers: ['a:1', 'b:2'] },
    });
    await fixture.stop();
    expect(container.calls).toEqual([]);
  });

  it('starts the container where a Docker engine answers, and stops it once', async () => {
    // Whatever accepts a connection passes for an engine.
    const engine = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => engine.listen(0, '127.0.0.1', resolve));
    delete process.env['KAFKA_BROKERS'];
    process.env['DOCKER_HOST'] = `tcp://127.0.0.1:${(engine.address() as AddressInfo).port}`;
    const container = new FakeContainer();
    try {
      const fixture = await startKafka({ container: () => container });
      expect(fixture).toMatchObject({ source: 'container', brokers: ['docker-host:9094'] });
      await fixture.stop();
      await fixture[Symbol.asyncDispose]();
      expect(container.calls).toEqual(['start', 'stop']);
    } finally {
      await new Promise((resolve) => engine.close(resolve));
    }
  });

  it('takes containers of @testcontainers/kafka, by their type', () => {
    const start = (make: () => KafkaContainer): Parameters<typeof startKafka>[0] => ({ container: make });
    expect(start).toBeDefined();
  });
});
