// Owns feeds of a store's changes by server-sent events. Changes are pulled as the reader takes them: what it does not take is not kept, and a
// reader that takes nothing for long is cut off; it comes back with the id of the last event, and has missed nothing.
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { silentLogger, systemClock } from '#libs/core';
import type { Clock } from '#libs/core';
import { StoreQueryError, readPlaces } from '#libs/millrace';
import { messageOf, toJson } from './query-json.ts';
import type { QueriedApplication, QueryRouteOptions } from './query-options.ts';
import { refusalOf } from './query-refusal.ts';
import { CHANGES_ANSWER, CHANGES_QUERY, STORE_PARAMS, operationOf } from './query-schemas.ts';
import { handleOf } from './store-plans.ts';
import type { AnyHandle } from './store-plans.ts';

const FEEDS_MAX = 64;
const HEARTBEAT_MS = 15_000;
const SLOW_READER_MS = 10_000;
/** What an `EventSource` waits before it connects again. */
const RETRY_MS = 1_000;

interface ChangesQuery {
  readonly scope?: 'all' | 'local';
  readonly since?: 'latest' | 'earliest';
  readonly resume?: string;
}

export class ChangeStreams {
  private readonly application: QueriedApplication;
  private readonly options: QueryRouteOptions;
  private readonly clock: Clock;
  private readonly open = new Map<AbortController, Promise<void>>();

  constructor(application: QueriedApplication, options: QueryRouteOptions) {
    this.application = application;
    this.options = options;
    this.clock = options.clock ?? systemClock;
  }

  register(server: FastifyInstance): void {
    server.get<{ Params: { readonly store: string }; Querystring: ChangesQuery }>(
      '/stores/:store/changes',
      {
        schema: {
          operationId: operationOf(this.application.applicationId, 'streamChanges'),
          summary: 'Committed changes of a store as server-sent events of the type "change"',
          tags: ['queries'],
          params: STORE_PARAMS,
          querystring: CHANGES_QUERY,
          response: CHANGES_ANSWER,
        },
      },
      (request, reply) => {
        const { stores } = this.application;
        const { store } = request.params;
        const handle = handleOf(stores, stores.shape(store));
        // What a feed cannot be begun with is refused before it is one.
        stores.partitions(store);
        const resume = resumeOf(request);
        if (resume !== undefined) readPlaces(store, resume);
        const { feedsMax = FEEDS_MAX } = this.options;
        if (this.open.size >= feedsMax) {
          throw new StoreQueryError({
            code: 'MILLRACE_QUERY_UNANSWERED',
            message: `${feedsMax} feeds of changes are open already.`,
            remedy: 'Close one of them, or ask another instance: each can give all changes.',
            retryAfterMs: 5_000,
          });
        }
        reply.hijack();
        const abort = new AbortController();
        const done = this.serve(reply.raw, request, handle, resume, abort).finally(() =>
          this.open.delete(abort),
        );
        this.open.set(abort, done);
      },
    );
    server.addHook('preClose', async () => {
      for (const abort of this.open.keys()) abort.abort();
      await Promise.all(this.open.values());
    });
  }

  private async serve(
    response: ServerResponse,
    request: FastifyRequest<{ Querystring: ChangesQuery }>,
    handle: AnyHandle,
    resume: string | undefined,
    abort: AbortController,
  ): Promise<void> {
    const { heartbeatMs = HEARTBEAT_MS } = this.options;
    const { scope, since } = request.query;
    response.on('close', () => abort.abort());
    response.on('error', () => abort.abort());
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // Of proxies that would collect events before they pass them on.
      'x-accel-buffering': 'no',
    });
    response.write(`retry: ${RETRY_MS}\n\n`);
    let wroteAt = this.clock.monotonic();
    const onIdle = (): void => {
      const now = this.clock.monotonic();
      if (now - wroteAt < heartbeatMs || response.writableNeedDrain) return;
      wroteAt = now;
      response.write(': still here\n\n');
    };
    try {
      const changes = handle.changes({
        ...(resume === undefined ? {} : { resume }),
        ...(since === undefined ? {} : { since }),
        ...(scope === undefined ? {} : { scope }),
        signal: abort.signal,
        onIdle,
      });
      for await (const { entry, deleted, partition, offset, timestamp, resume: id } of changes) {
        const { key, window, value } = entry as { key: unknown; window?: object; value: unknown };
        const data = toJson({
          key,
          ...(window === undefined ? {} : { window }),
          value,
          deleted,
          partition,
          offset,
          timestamp,
        });
        wroteAt = this.clock.monotonic();
        if (!response.write(`id: ${id}\nevent: change\ndata: ${data}\n\n`))
          await this.drained(response, abort.signal);
        if (abort.signal.aborted) break;
      }
      if (!response.destroyed)
        response.end(end({ code: null, message: 'The server or the application ends.' }));
    } catch (thrown) {
      const { error } = refusalOf(thrown, request, this.options.logger ?? silentLogger);
      if (error.code === 'MILLRACE_READER_TOO_SLOW') response.destroy();
      else response.end(end({ code: error.code, message: messageOf(error) }));
    }
  }

  /** Resolves when the reader has taken what was written. @throws StoreQueryError MILLRACE_READER_TOO_SLOW */
  private async drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { slowReaderMs = SLOW_READER_MS } = this.options;
    await new Promise<void>((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        timer.cancel();
        response.off('drain', onDrain);
        signal.removeEventListener('abort', onDrain);
        outcome();
      };
      const onDrain = (): void => settle(resolve);
      const timer = this.clock.schedule(
        slowReaderMs,
        () =>
          settle(() =>
            reject(
              new StoreQueryError({
                code: 'MILLRACE_READER_TOO_SLOW',
                message: `The reader took nothing for ${slowReaderMs} ms.`,
                remedy: 'Connect again with the last id, and read faster.',
              }),
            ),
          ),
        true,
      );
      response.once('drain', onDrain);
      signal.addEventListener('abort', onDrain, { once: true });
      if (signal.aborted) onDrain();
    });
  }
}

function end(why: object): string {
  return `event: end\ndata: ${JSON.stringify(why)}\n\n`;
}

/** What an `EventSource` sends by itself wins: the URL is that of the first time. */
function resumeOf(request: FastifyRequest<{ Querystring: ChangesQuery }>): string | undefined {
  const last = request.headers['last-event-id'];
  if (typeof last === 'string' && last !== '') return last;
  return request.query.resume;
}
