import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import {
  brokerAvailability,
  cacheDirectory,
  freePorts,
  registryAvailability,
  startLocalBroker,
  startLocalRegistry,
} from '#libs/broker-local';

describe('the road to a broker', () => {
  const saved = { ...process.env };
  beforeEach(() => {
    delete process.env['KAFKA_BROKERS'];
  });
  afterEach(() => {
    process.env = { ...saved };
  });

  it('is KAFKA_BROKERS before all others', async () => {
    process.env['KAFKA_BROKERS'] = 'kafka-1:9092, kafka-2:9092,';
    expect(await brokerAvailability()).toEqual({ road: 'env' });
    const broker = await startLocalBroker();
    expect(broker).toMatchObject({ source: 'env', bootstrapServers: ['kafka-1:9092', 'kafka-2:9092'] });
    await broker.stop();
  });

  it('refuses to kill a broker that is not ours', async () => {
    process.env['KAFKA_BROKERS'] = 'kafka-1:9092';
    const broker = await startLocalBroker();
    await expect(broker.kill()).rejects.toMatchObject({ code: 'MILLRACE_LOCAL_BROKER_FAILED' });
    await expect(broker.restart()).rejects.toMatchObject({ code: 'MILLRACE_LOCAL_BROKER_FAILED' });
  });

  it('is not KAFKA_BROKERS for a broker with properties of its own', async () => {
    process.env['KAFKA_BROKERS'] = 'kafka-1:9092';
    expect((await brokerAvailability({ properties: { 'message.max.bytes': 1000 } })).road).not.toBe('env');
  });

  it('says for each closed road why it is closed, and what to install', async () => {
    const start = startLocalBroker({ roads: ['env'] });
    await expect(start).rejects.toMatchObject({
      code: 'MILLRACE_NO_BROKER_AVAILABLE',
      message: expect.stringMatching(
        /KAFKA_BROKERS is not set.*Remedy: .*Docker.*JDK 17 or newer and Maven/s,
      ),
    });
  });

  it('keeps downloads where MILLRACE_CACHE says', () => {
    process.env['MILLRACE_CACHE'] = '/somewhere/else';
    expect(cacheDirectory()).toBe('/somewhere/else');
  });
});

describe('free ports', () => {
  it('are distinct and below the ephemeral range', async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
    for (const port of ports) expect(port).toBeLessThan(32_768);
  });
});

describe('the road to a schema registry', () => {
  const saved = { ...process.env };
  afterEach(() => {
    process.env = { ...saved };
  });

  it('is SCHEMA_REGISTRY_URL before all others', async () => {
    process.env['SCHEMA_REGISTRY_URL'] = 'https://registry.example:8081/ ';
    expect(await registryAvailability()).toEqual({ road: 'env' });
    const registry = await startLocalRegistry();
    expect(registry).toMatchObject({ source: 'env', url: 'https://registry.example:8081' });
    await registry.stop();
    await expect(registry.kill()).rejects.toMatchObject({ code: 'MILLRACE_LOCAL_REGISTRY_FAILED' });
  });

  it('is not SCHEMA_REGISTRY_URL for a registry with properties of its own', async () => {
    process.env['SCHEMA_REGISTRY_URL'] = 'https://registry.example:8081';
    const { road } = await registryAvailability({
      properties: { 'apicurio.rest.deletion.group.enabled': true },
    });
    expect(road).not.toBe('env');
  });

  it('says for each closed road why it is closed, and what to install', async () => {
    delete process.env['SCHEMA_REGISTRY_URL'];
    await expect(startLocalRegistry({ roads: ['env'] })).rejects.toMatchObject({
      code: 'MILLRACE_NO_REGISTRY_AVAILABLE',
      message: expect.stringMatching(
        /SCHEMA_REGISTRY_URL is not set.*Remedy: .*Docker.*JDK 21 or newer and Maven/s,
      ),
    });
  });
});
