// `npm run broker`: a broker for the terminal beside this one, until Ctrl-C.
//
//   npm run broker -- [--version 3.9.2] [--transaction-version 1] [--tls] [--sasl name:password] [--acls]
import { parseArgs } from 'node:util';

import { startLocalBroker } from '#libs/broker-local';

const { values } = parseArgs({
  options: {
    version: { type: 'string' },
    'transaction-version': { type: 'string' },
    tls: { type: 'boolean', default: false },
    sasl: { type: 'string' },
    acls: { type: 'boolean', default: false },
  },
});
const [name, password] = values.sasl?.split(':') ?? [];
const secure = values.tls || values.acls || name !== undefined;
const level = values['transaction-version'];

const broker = await startLocalBroker({
  ...(values.version === undefined ? {} : { version: values.version }),
  ...(level === undefined ? {} : { transactionVersion: Number(level) as 0 | 1 | 2 }),
  ...(secure
    ? {
        security: {
          tls: values.tls,
          ...(name === undefined ? {} : { sasl: { users: [{ name, password: password ?? name }] } }),
          ...(values.acls ? { acls: {} } : {}),
        },
      }
    : {}),
});
console.log(`Apache Kafka ${broker.version} (${broker.source}), process ${broker.pid ?? 'unknown'}`);
for (const [listener, address] of Object.entries(broker.endpoints)) console.log(`  ${listener}: ${address}`);
if (broker.logFile !== undefined) console.log(`  log: ${broker.logFile}`);
if (broker.certificate !== undefined) console.log(broker.certificate);
console.log(`KAFKA_BROKERS=${broker.bootstrapServers.join(',')}`);
console.log('Ctrl-C ends it and removes its data.');

const idle = setInterval(() => undefined, 60_000);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(idle);
    void broker.stop();
  });
}
