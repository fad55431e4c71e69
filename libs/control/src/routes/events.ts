// Owns the stream of snapshots by server-sent events: one as soon as it is opened, then one per interval. A client that does not read
// misses some, and no more is kept for it than what its socket holds.
import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Clock, Timer } from '#libs/core';
import { badRequest } from '../control-error.ts';
import type { Applications, Served } from '../applications.ts';
import { error } from '../schemas/answers.ts';
import { jsonSchema } from '../schemas/json-schema.ts';
import { OF_APPLICATION } from './parameters.ts';
import type { ApplicationParams } from './parameters.ts';
import { wholeOf } from './read.ts';

const INTERVAL_MS_MIN = 250;
const INTERVAL_MS = 1_000;
const INTERVAL_MS_MAX = 60_000;
const STREAMS_MAX = 32;
/** Of a snapshot, so that one per second misses few; the others can be asked for. */
const EPOCHS_IN_EVENT = 128;

export class EventStreams {
  private readonly clock: Clock;
  private readonly open = new Map<ServerResponse, Timer | null>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  register(server: FastifyInstance, applications: Applications): void {
    server.get<ApplicationParams & { Querystring: { intervalMs?: number } }>(
      '/v1/applications/:application/events',
      {
        schema: {
          operationId: 'streamEvents',
          summary:
            'Snapshots as server-sent events of the type "snapshot": GET …/{application} once per interval, with the last 128 epochs',
          tags: ['applications'],
          params: OF_APPLICATION,
          querystring: {
            type: 'object',
            properties: {
              intervalMs: {
                type: 'integer',
                minimum: INTERVAL_MS_MIN,
                maximum: INTERVAL_MS_MAX,
                default: INTERVAL_MS,
              },
            },
            additionalProperties: false,
          },
          response: {
            200: {
              description: 'The stream',
              content: { 'text/event-stream': { schema: { type: 'string' } } },
            },
            '4xx': { description: 'What is wrong with the request', ...jsonSchema(error) },
            '5xx': { description: 'What the server failed with', ...jsonSchema(error) },
          },
        },
      },
      (request, reply) => {
        const served = applications.find(request.params.application);
        if (this.open.size >= STREAMS_MAX) {
          throw badRequest(503, `${STREAMS_MAX} event streams are open already.`, 'Close one of them.');
        }
        reply.hijack();
        this.begin(reply.raw, served, request.query.intervalMs ?? INTERVAL_MS);
      },
    );
  }

  close(): void {
    for (const response of [...this.open.keys()]) {
      this.end(response);
      response.end();
    }
  }

  private begin(response: ServerResponse, served: Served, intervalMs: number): void {
    this.open.set(response, null);
    response.on('close', () => this.end(response));
    response.on('error', () => this.end(response));
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // Of proxies that would collect events before they pass them on.
      'x-accel-buffering': 'no',
    });
    response.write(`retry: ${Math.max(1_000, intervalMs)}\n\n`);
    this.send(response, served, intervalMs);
  }

  private send(response: ServerResponse, served: Served, intervalMs: number): void {
    if (!this.open.has(response)) return;
    if (!response.writableNeedDrain) {
      const whole = wholeOf(served);
      const epochs = (whole['epochs'] as readonly unknown[]).slice(-EPOCHS_IN_EVENT);
      response.write(`event: snapshot\ndata: ${JSON.stringify({ ...whole, epochs })}\n\n`);
    }
    this.open.set(
      response,
      this.clock.schedule(intervalMs, () => this.send(response, served, intervalMs), true),
    );
  }

  private end(response: ServerResponse): void {
    this.open.get(response)?.cancel();
    this.open.delete(response);
  }
}
