// Specifies which registry a fixture is, without starting any.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { startSchemaRegistry } from '#libs/testing';

const before = process.env['SCHEMA_REGISTRY_URL'];
beforeEach(() => {
  process.env['SCHEMA_REGISTRY_URL'] = 'https://registry.example:8081/';
});
afterEach(() => {
  if (before === undefined) delete process.env['SCHEMA_REGISTRY_URL'];
  else process.env['SCHEMA_REGISTRY_URL'] = before;
});

it('takes the registry of SCHEMA_REGISTRY_URL before any other, and neither ends nor restarts it', async () => {
  const registry = await startSchemaRegistry();
  expect(registry).toMatchObject({ source: 'env', url: 'https://registry.example:8081' });
  await expect(registry.restart()).rejects.toMatchObject({ code: 'MILLRACE_LOCAL_REGISTRY_FAILED' });
  await registry.stop();
});
