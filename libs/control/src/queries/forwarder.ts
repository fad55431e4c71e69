// Owns asking another instance: one request, bounded in time and bytes. What is forwarded is marked, so that it goes no further.
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { systemClock } from '#libs/core';
import type { Clock } from '#libs/core';
import type { QueryRouteOptions } from './query-options.ts';
import { unanswered } from './query-refusal.ts';

/** Set on what one instance asks another: it is answered from there, and not forwarded again. */
export const FORWARDED_HEADER = 'x-millrace-forwarded';

const ADDRESS = /^(?:\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}$/;
const TIMEOUT_MS = 5_000;
const BYTES_MAX = 16 * 1024 * 1024;

export interface Forwarded {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: Buffer;
}

export class Forwarder {
  private readonly clock: Clock;
  private readonly options: QueryRouteOptions;

  constructor(options: QueryRouteOptions) {
    this.clock = options.clock ?? systemClock;
    this.options = options;
  }

  /** @throws StoreQueryError MILLRACE_QUERY_UNANSWERED */
  ask(host: string, path: string, authorization: string | undefined): Promise<Forwarded> {
    const { tls = null, forwardTimeoutMs = TIMEOUT_MS, forwardBytesMax = BYTES_MAX } = this.options;
    // It comes from the group: whoever may join it chooses the host, but no path, and no other user.
    if (!ADDRESS.test(host)) return Promise.reject(unanswered(host, 'its address is none'));
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        timer.cancel();
        asking.destroy();
        reject(unanswered(host, why));
      };
      const onAnswer = (answer: IncomingMessage): void => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > forwardBytesMax) fail(`its answer has more than ${forwardBytesMax} bytes`);
          else chunks.push(chunk);
        });
        answer.on('end', () => {
          timer.cancel();
          const retryAfter = answer.headers['retry-after'] ?? null;
          resolve({ status: answer.statusCode ?? 0, retryAfter, body: Buffer.concat(chunks) });
        });
        answer.on('error', (error) => fail(error.message));
      };
      const headers = {
        [FORWARDED_HEADER]: '1',
        accept: 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
      };
      const timer = this.clock.schedule(
        forwardTimeoutMs,
        () => fail(`it took longer than ${forwardTimeoutMs} ms`),
        true,
      );
      const asking =
        tls === null
          ? httpRequest(`http://${host}${path}`, { headers, agent: false }, onAnswer)
          : httpsRequest(`https://${host}${path}`, { headers, agent: false, ...tls }, onAnswer);
      asking.on('error', (error) => fail(error.message));
      asking.end();
    });
  }

  /** What a JSON answer says; a refusal as it was refused. */
  async json(host: string, path: string, authorization: string | undefined): Promise<unknown> {
    const { status, body } = await this.ask(host, path, authorization);
    let parsed: unknown;
    try {
      parsed = JSON.parse(body.toString('utf8'));
    } catch {
      throw unanswered(host, `its answer of status ${status} is no JSON`);
    }
    if (status === 200) return parsed;
    const message = (parsed as { error?: { message?: unknown } } | null)?.error?.message;
    throw unanswered(host, typeof message === 'string' ? message : `it answered with status ${status}`);
  }
}
