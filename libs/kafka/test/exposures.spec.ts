// Specifies what a client warns of when it is made: connections on which others may read or pass for a broker.
import { expect, it } from '@jest/globals';
import { silentLogger, systemClock } from '#libs/core';
import { createKafkaClient } from '#libs/kafka';
import type { KafkaConfig } from '#libs/kafka';

const credentials = { username: 'ada', password: 'hush' } as const;

it.each<[string, Partial<KafkaConfig>, readonly RegExp[]]>([
  ['nothing without credentials', {}, []],
  ['nothing by TLS', { ssl: true, sasl: { mechanism: 'plain', ...credentials } }, []],
  [
    'nothing by SCRAM, which does not send the password',
    { sasl: { mechanism: 'scram-sha-512', ...credentials } },
    [],
  ],
  ['a password in the clear', { sasl: { mechanism: 'plain', ...credentials } }, [/plain without kafka\.ssl/]],
  [
    'a token in the clear',
    { ssl: false, sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: 't' }) } },
    [/oauthbearer without kafka\.ssl/],
  ],
  ['certificates that are not checked', { ssl: { rejectUnauthorized: false } }, [/rejectUnauthorized/]],
])('warns of %s', async (_what, config, warnings) => {
  const said: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void said.push(message) };
  const client = createKafkaClient({ brokers: ['a:1'], ...config }, { clock: systemClock, logger });
  await client.close();
  expect(said).toEqual(warnings.map((warning) => expect.stringMatching(warning)));
  expect(said.join()).not.toContain('hush');
});
