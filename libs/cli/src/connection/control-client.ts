// Owns asking a running application by HTTP: where, with which token and certificates, and what its refusals are here. It only reads.
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Option } from 'commander';
import type { Command } from 'commander';
import { ERROR_CODES, FatalError, asError } from '#libs/core';
import type { ErrorCode } from '#libs/core';
import type { CliIo } from '../io.ts';

export interface ControlOptions {
  readonly control?: readonly string[];
  readonly controlTokenFile?: string;
  readonly controlCa?: string;
  readonly controlCert?: string;
  readonly controlKey?: string;
}

const TOKEN_VARIABLE = 'MILLRACE_CONTROL_TOKEN';
const TIMEOUT_MS = 30_000;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export function addControlOptions(command: Command, description: string): Command {
  return command
    .optionsGroup('Control API:')
    .addOption(
      new Option('--control <url>', description).argParser((url: string, before: readonly string[] = []) => [
        ...before,
        url,
      ]),
    )
    .option('--control-token-file <file>', `holds the token (or the variable ${TOKEN_VARIABLE})`)
    .option('--control-ca <pem>', 'authority of its certificate')
    .option('--control-cert <pem>', 'certificate to show')
    .option('--control-key <pem>', 'its key')
    .optionsGroup('Options:');
}

export class ControlClient {
  private readonly token: string | null;
  private readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  private readonly signal: AbortSignal;

  /** @throws FatalError MILLRACE_INVALID_CONFIG */
  constructor(io: CliIo, options: ControlOptions, signal: AbortSignal) {
    const { controlTokenFile, controlCa, controlCert, controlKey } = options;
    const token =
      controlTokenFile === undefined
        ? io.environment[TOKEN_VARIABLE]
        : read('--control-token-file', controlTokenFile).toString('utf8').trim();
    this.token = token === undefined || token === '' ? null : token;
    this.signal = signal;
    this.tls = {
      ...(controlCa === undefined ? {} : { ca: read('--control-ca', controlCa) }),
      ...(controlCert === undefined ? {} : { cert: read('--control-cert', controlCert) }),
      ...(controlKey === undefined ? {} : { key: read('--control-key', controlKey) }),
    };
  }

  /** `path` below `/v1/applications/<id>` of a control server; of a query server below its root. @throws FatalError */
  get<T>(base: string, path: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
    const url = urlOf(base, path, query);
    return new Promise<T>((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const outgoing = send(
        url,
        {
          ...this.tls,
          headers: {
            accept: 'application/json',
            ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
          },
          timeout: TIMEOUT_MS,
          signal: this.signal,
        },
        (answer) => {
          const parts: Buffer[] = [];
          let size = 0;
          answer.on('data', (part: Buffer) => {
            size += part.length;
            if (size > ANSWER_BYTES_MAX)
              answer.destroy(new Error(`the answer is larger than ${ANSWER_BYTES_MAX} bytes`));
            else parts.push(part);
          });
          answer.on('error', (error) => reject(unreachable(url, error)));
          answer.on('end', () => {
            try {
              resolve(readAnswer<T>(url, answer.statusCode ?? 0, Buffer.concat(parts).toString('utf8')));
            } catch (error) {
              reject(asError(error));
            }
          });
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`)));
      outgoing.on('error', (error) => reject(error.name === 'AbortError' ? error : unreachable(url, error)));
      outgoing.end();
    });
  }
}

/** `…/v1/applications/<id>` of a server's address, or of an address that has it already. */
export function applicationPath(applicationId: string, path: string): string {
  return `/v1/applications/${encodeURIComponent(applicationId)}${path}`;
}

function urlOf(base: string, path: string, query: Readonly<Record<string, string>>): URL {
  let url: URL;
  try {
    url = new URL(base);
  } catch {
    throw invalid(`--control "${base}" is not a URL.`, 'Write it as http://127.0.0.1:8075.');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw invalid(`--control "${base}" is neither http nor https.`, 'Write it as http://127.0.0.1:8075.');
  if (url.username !== '' || url.password !== '')
    throw invalid(
      '--control holds a user name.',
      `Give the token by ${TOKEN_VARIABLE} or --control-token-file.`,
    );
  url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`;
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

function readAnswer<T>(url: URL, status: number, text: string): T {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw unreachable(url, new Error(`status ${status}, and the answer is not JSON`));
  }
  if (status >= 200 && status < 300) return body as T;
  const told = (body as { error?: Readonly<Record<string, unknown>> } | null)?.error;
  const code = told?.['code'];
  if (typeof code !== 'string' || !(ERROR_CODES as readonly string[]).includes(code))
    throw unreachable(url, new Error(`status ${status}, and the answer is not of a control server`));
  const remedy = told?.['remedy'];
  throw new FatalError({
    code: code as ErrorCode,
    message: String(told?.['message']),
    ...(typeof remedy === 'string' ? { remedy } : {}),
    context: { url: shown(url) },
  });
}

function unreachable(url: URL, cause: Error): FatalError {
  const code = (cause as NodeJS.ErrnoException).code;
  return new FatalError({
    code: 'MILLRACE_CONTROL_UNREACHABLE',
    message: `${url.origin} does not answer as a control or query server does: ${cause.message === '' ? (code ?? 'no connection') : cause.message}.`,
    remedy:
      'Check the URL, that the application is served there, and the certificate authority (--control-ca).',
    cause,
    context: { url: shown(url) },
  });
}

function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function read(flag: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw invalid(
      `${flag}: the file "${file}" cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}).`,
      'Name a file that is there.',
    );
  }
}

function invalid(message: string, remedy: string): FatalError {
  return new FatalError({ code: 'MILLRACE_INVALID_CONFIG', message, remedy });
}
