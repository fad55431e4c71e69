// Owns the self-signed certificate of the TLS listeners, made by the JDK's keytool.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { MillraceError } from '#libs/core';

import { findJdkTool } from './java-home.ts';
import type { Keystore } from './server-properties.ts';

const run = promisify(execFile);

/**
 * A fresh key and certificate for localhost and 127.0.0.1 in `folder`; the certificate is its own authority. `clientAuthority`: PEM of the
 * authority of clients, kept beside it.
 */
export async function createCertificate(
  folder: string,
  clientAuthority?: string,
): Promise<{ keystore: Keystore; certificate: string }> {
  const keytool = await findJdkTool('keytool');
  if (keytool === undefined) {
    throw new MillraceError({
      code: 'MILLRACE_LOCAL_BROKER_FAILED',
      message: 'A TLS listener needs keytool, which is neither in JAVA_HOME nor in PATH.',
      remedy: 'Install a JDK (not only a JRE) 17 or newer.',
    });
  }
  const file = join(folder, 'broker.p12');
  const pem = join(folder, 'broker.pem');
  const password = 'millrace';
  const store = ['-keystore', file, '-storetype', 'PKCS12', '-storepass', password, '-alias', 'broker'];
  await run(keytool, [
    '-genkeypair',
    ...store,
    ...['-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', '3650', '-dname', 'CN=localhost'],
    ...['-ext', 'SAN=dns:localhost,ip:127.0.0.1', '-ext', 'bc:c'],
  ]);
  await run(keytool, ['-exportcert', '-rfc', ...store, '-file', pem]);
  const certificate = await readFile(pem, 'utf8');
  if (clientAuthority === undefined) return { keystore: { file, password }, certificate };
  const clientAuthorityFile = join(folder, 'clients.pem');
  await writeFile(clientAuthorityFile, clientAuthority);
  return { keystore: { file, password, clientAuthorityFile }, certificate };
}
