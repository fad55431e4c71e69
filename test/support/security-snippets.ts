// The code that docs/operations/security.md shows, as it runs in test/integration/security-docs.spec.ts.
import { createControlServer } from '#libs/control';
import type { ControlServer } from '#libs/control';
import { SchemaRegistryClient } from '#libs/millrace';
import type { KafkaConfig, StreamsApplication } from '#libs/millrace';

/** What stands where the examples say `process.env`, files and an identity provider. */
export interface Surroundings {
  readonly brokers: readonly string[];
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly passphrase: string;
  readonly password: string;
  readonly token: string;
  readonly askIdentityProvider: () => Promise<{ readonly access_token: string }>;
}

export function scram({ brokers, ca, password }: Surroundings): KafkaConfig {
  // #region scram
  const kafka: KafkaConfig = {
    brokers,
    ssl: { ca },
    sasl: { mechanism: 'scram-sha-512', username: 'ada', password },
  };
  // #endregion
  return kafka;
}

export function mutualTls({ brokers, ca, cert, key, passphrase }: Surroundings): KafkaConfig {
  // #region mutualTls
  const kafka: KafkaConfig = { brokers, ssl: { ca, cert, key, passphrase } };
  // #endregion
  return kafka;
}

export function oauthbearer({ brokers, ca, askIdentityProvider }: Surroundings): KafkaConfig {
  // #region oauthbearer
  const kafka: KafkaConfig = {
    brokers,
    ssl: { ca },
    sasl: {
      mechanism: 'oauthbearer',
      // Asked for each connection, and again before a session ends.
      oauthBearerProvider: async () => {
        const { access_token: value } = await askIdentityProvider();
        return { value };
      },
    },
  };
  // #endregion
  return kafka;
}

export function control(
  application: StreamsApplication,
  { ca, cert, key, passphrase, token }: Surroundings,
): Promise<ControlServer> {
  // #region control
  const server = createControlServer({
    applications: [application],
    host: '0.0.0.0',
    token,
    tls: { cert, key, passphrase, ca },
    allowActions: true,
  });
  // #endregion
  return server;
}

export function registry({ ca, token }: Surroundings, host: string): SchemaRegistryClient {
  // #region registry
  const schemas = new SchemaRegistryClient({ host, token: async () => token, tls: { ca } });
  // #endregion
  return schemas;
}
