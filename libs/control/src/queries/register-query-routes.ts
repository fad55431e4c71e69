// Owns the HTTP routes of queries: what is asked, who answers it, and what is answered. Keys and values go by the store's serdes.
//
//   request ─► plan (store, key, range) ─► here? read it │ elsewhere? ask the owner, once │ everywhere? ask each, and merge
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { silentLogger } from '#libs/core';
import {
  QueryableSessionStore,
  QueryableStore,
  QueryableVersionedStore,
  StoreQueryError,
} from '#libs/millrace';
import type { KeyMetadata, PageOptions, ReadOptions } from '#libs/millrace';
import { ChangeStreams } from './change-streams.ts';
import { FORWARDED_HEADER, Forwarder } from './forwarder.ts';
import type { Forwarded } from './forwarder.ts';
import { messageOf, toJson } from './query-json.ts';
import type { QueriedApplication, QueryRouteOptions } from './query-options.ts';
import { queryErrorHandler, unanswered } from './query-refusal.ts';
import * as schemas from './query-schemas.ts';
import { gatheredPage, ownPage } from './store-pages.ts';
import type { GatheredPage } from './store-pages.ts';
import { anyOf, planEntries } from './store-plans.ts';
import type { AnyHandle, Plan, RangeQuery } from './store-plans.ts';

const PARALLEL_MAX = 8;
const LIMIT_DEFAULT = 100;
const TAGS = ['queries'];

interface ReadQuery {
  readonly from?: 'active' | 'activeOrStandby';
  readonly maxLag?: string;
  readonly partition?: number;
}

interface OneQuery extends ReadQuery {
  readonly windowStart?: number;
  readonly windowEnd?: number;
  readonly asOf?: number;
}

interface PageQuery extends ReadQuery, RangeQuery {
  readonly limit?: number;
  readonly cursor?: string;
  readonly reverse?: boolean;
  readonly scope?: 'all' | 'local';
  readonly requireComplete?: boolean;
  readonly only?: string;
}

interface OfStore {
  readonly store: string;
}
interface OfKey extends OfStore {
  readonly key: string;
}

/** Adds the routes, under `/stores`, to a server or to a part of one with a prefix of its own. */
export function registerQueryRoutes(
  server: FastifyInstance,
  application: QueriedApplication,
  options: QueryRouteOptions = {},
): void {
  new QueryRoutes(application, options).register(server);
}

class QueryRoutes {
  private readonly application: QueriedApplication;
  private readonly options: QueryRouteOptions;
  private readonly forwarder: Forwarder;

  constructor(application: QueriedApplication, options: QueryRouteOptions) {
    this.application = application;
    this.options = options;
    this.forwarder = new Forwarder(options);
  }

  register(server: FastifyInstance): void {
    const { application, options } = this;
    server.setErrorHandler(queryErrorHandler(options.logger ?? silentLogger));
    const route = (
      operationId: string,
      summary: string,
      response: object,
      more: object,
    ): { schema: object } => ({
      schema: {
        operationId: schemas.operationOf(application.applicationId, operationId),
        summary,
        tags: TAGS,
        response,
        ...more,
      },
    });
    const params = schemas.STORE_PARAMS;
    const keyParams = schemas.KEY_PARAMS;
    server.get(
      '/stores',
      route('listStores', 'The stores of the topology that can be queried', schemas.STORES_ANSWER, {}),
      (_request, reply) =>
        send(reply, { stores: application.stores.all.map(({ name }) => this.described(name)) }),
    );
    server.get<{ Params: OfStore }>(
      '/stores/:store',
      route('getStore', 'A store: its kind, and which instance has which partition', schemas.STORE_ANSWER, {
        params,
      }),
      ({ params: { store } }, reply) => {
        const described = this.described(store);
        return send(reply, { ...described, instances: application.stores.metadataForStore(store) });
      },
    );
    server.get<{ Params: OfKey; Querystring: OneQuery }>(
      '/stores/:store/keys/:key',
      route('getEntry', 'The committed value of a key', schemas.ENTRY_ANSWER, {
        params: keyParams,
        querystring: schemas.ONE_QUERY,
      }),
      (request, reply) => this.one(request, reply),
    );
    server.get<{ Params: OfStore; Querystring: PageQuery }>(
      '/stores/:store/entries',
      route(
        'listEntries',
        'Committed entries: all, a range, a prefix, or a time range',
        schemas.PAGE_ANSWER,
        {
          params,
          querystring: schemas.ENTRIES_QUERY,
        },
      ),
      (request, reply) => this.page(request, reply, undefined),
    );
    server.get<{ Params: OfKey; Querystring: PageQuery }>(
      '/stores/:store/keys/:key/entries',
      route('listEntriesOfKey', 'Windows, sessions or versions of one key', schemas.PAGE_ANSWER, {
        params: keyParams,
        querystring: schemas.ENTRIES_QUERY,
      }),
      (request, reply) => this.page(request, reply, request.params.key),
    );
    server.get<{ Params: OfKey }>(
      '/stores/:store/keys/:key/metadata',
      route('getKeyMetadata', 'Which instance has a key', schemas.STORE_ANSWER, { params: keyParams }),
      async ({ params: { store, key } }, reply) => {
        const { key: decoded } = await planEntries(application.stores, store, key, {});
        return send(reply, { ...(await anyOf(application.stores, store).metadataForKey(decoded)) });
      },
    );
    server.get<{ Params: OfStore; Querystring: PageQuery & { readonly approximate?: boolean } }>(
      '/stores/:store/count',
      route('countEntries', 'How many rows a store has', schemas.COUNT_ANSWER, {
        params,
        querystring: schemas.COUNT_QUERY,
      }),
      (request, reply) => this.count(request, reply),
    );
    new ChangeStreams(application, options).register(server);
  }

  private described(store: string): Record<string, unknown> {
    const { name, kind, keySerde, valueSerde, logged } = this.application.stores.shape(store);
    return { name, kind, keySerde: keySerde.name, valueSerde: valueSerde.name, logged };
  }

  // --- one key -----------------------------------------------------------------------------------------------

  private async one(
    request: FastifyRequest<{ Params: OfKey; Querystring: OneQuery }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { store, key: text } = request.params;
    const { query } = request;
    const { handle, key } = await planEntries(this.application.stores, store, text, {});
    const read = {
      ...readOptions(query),
      ...(query.partition === undefined ? {} : { partition: query.partition }),
    };
    return this.hereOrThere(request, reply, handle, key, query, async () => ({
      entry: await entryOf(handle, key, query, read),
    }));
  }

  /** Reads what is here, or lets the owner answer; a standby copy elsewhere where that is gone and a copy will do. */
  private async hereOrThere(
    request: FastifyRequest,
    reply: FastifyReply,
    handle: AnyHandle,
    key: unknown,
    query: ReadQuery,
    read: () => Promise<object>,
  ): Promise<FastifyReply> {
    try {
      return await send(reply, await read());
    } catch (error) {
      if (isForwarded(request) || !(error instanceof StoreQueryError) || error.retryAfterMs === null)
        throw error;
      const where = await this.whereIs(handle, key, query);
      const answer = await this.forward(request, where, query, error);
      if (answer === null) throw error;
      return answerWith(reply, answer);
    }
  }

  private async whereIs(handle: AnyHandle, key: unknown, { partition }: ReadQuery): Promise<KeyMetadata[]> {
    const { stores } = this.application;
    if (partition !== undefined) return [stores.metadataForPartition(handle.name, partition)];
    const where = await handle.metadataForKey(key);
    if (where.partition !== null) return [where];
    // Only they can tell: each that has a part is asked.
    return handle
      .metadata()
      .filter(({ isLocal, applicationServer }) => !isLocal && applicationServer !== null)
      .map(({ applicationServer }) => ({
        partition: null,
        active: applicationServer,
        standbys: [],
        isLocal: false,
      }));
  }

  /** `null`: nobody is known who could be asked. @throws StoreQueryError MILLRACE_QUERY_UNANSWERED */
  private async forward(
    request: FastifyRequest,
    where: readonly KeyMetadata[],
    { from }: ReadQuery,
    refused: StoreQueryError,
  ): Promise<Forwarded | null> {
    const { authorization } = request.headers;
    let failure: StoreQueryError | null = null;
    let last: Forwarded | null = null;
    for (const { active, standbys, isLocal, partition } of where) {
      const hosts = [active, ...(from === 'activeOrStandby' ? standbys : [])];
      for (const host of new Set(hosts)) {
        if (host === null || isLocal || host === this.application.stores.ownHost) continue;
        try {
          last = await this.forwarder.ask(host, request.url, authorization);
        } catch (error) {
          if (!(error instanceof StoreQueryError)) throw error;
          failure = error;
          continue;
        }
        const isFound = partition !== null || !last.body.includes('"entry":null');
        if (last.status < 500 && isFound) return last;
      }
    }
    if (last !== null) return last;
    if (failure !== null) throw failure;
    return refused.owner === null
      ? null
      : Promise.reject(unanswered(refused.owner, 'it is not known any more'));
  }

  // --- pages -------------------------------------------------------------------------------------------------

  private async page(
    request: FastifyRequest<{ Params: OfStore; Querystring: PageQuery }>,
    reply: FastifyReply,
    keyText: string | undefined,
  ): Promise<FastifyReply> {
    const { query } = request;
    const { store } = request.params;
    const { lower, upper, prefix, fromTime, toTime } = query;
    const ranges: RangeQuery = {
      ...(lower === undefined ? {} : { lower }),
      ...(upper === undefined ? {} : { upper }),
      ...(prefix === undefined ? {} : { prefix }),
      ...(fromTime === undefined ? {} : { fromTime }),
      ...(toTime === undefined ? {} : { toTime }),
    };
    const plan = await planEntries(this.application.stores, store, keyText, ranges);
    if (plan.hasKey) return this.pageOfKey(request, reply, plan);
    const options = pageOptions(query);
    const isOwn = isForwarded(request) || query.scope === 'local';
    const page = isOwn
      ? await ownPage(plan.handle, plan.range, options)
      : await gatheredPage(
          plan.handle,
          plan.range,
          options,
          (host, partitions) => this.askPage(request, host, partitions),
          this.options.forwardParallelMax ?? PARALLEL_MAX,
        );
    return sendPage(reply, page, query, isForwarded(request));
  }

  private async pageOfKey(
    request: FastifyRequest<{ Querystring: PageQuery }>,
    reply: FastifyReply,
    { handle, range, key }: Plan,
  ): Promise<FastifyReply> {
    const { query } = request;
    if (handle instanceof QueryableStore) {
      throw new StoreQueryError({
        code: 'MILLRACE_QUERY_INVALID',
        message: `A key of store "${handle.name}" has one entry.`,
        remedy: `Ask for stores/${handle.name}/keys/<key>.`,
      });
    }
    const partition = query.partition ?? (await handle.metadataForKey(key)).partition;
    const options: PageOptions = {
      ...pageOptions(query),
      ...(partition === null ? {} : { partitions: [partition] }),
    };
    if (isForwarded(request) && partition === null) {
      return sendPage(reply, await ownPage(handle, range, options), query, true);
    }
    if (partition === null) {
      const page = await gatheredPage(
        handle,
        range,
        options,
        (host, partitions) => this.askPage(request, host, partitions),
        this.options.forwardParallelMax ?? PARALLEL_MAX,
      );
      return sendPage(reply, page, query, false);
    }
    return this.hereOrThere(request, reply, handle, key, query, async () =>
      pageBody(await ownPage(handle, range, options), false),
    );
  }

  private async askPage(
    request: FastifyRequest,
    host: string,
    partitions: readonly number[],
  ): Promise<GatheredPage> {
    const { path, search } = splitUrl(request.url);
    search.set('only', partitions.join(','));
    const answer = await this.forwarder.json(
      host,
      `${path}?${search.toString()}`,
      request.headers.authorization,
    );
    const page = answer as Partial<ForwardedPage> | null;
    if (!Array.isArray(page?.entries) || !Array.isArray(page.rawKeys) || !Array.isArray(page.sources))
      throw unanswered(host, 'its answer is no page: is it the same version?');
    const rawKeys = page.rawKeys as readonly string[];
    return {
      entries: page.entries.map((entry, i) => ({
        entry,
        rawKey: Buffer.from(rawKeys[i] ?? '', 'base64').toString('latin1'),
      })),
      cursor: page.cursor ?? null,
      sources: page.sources,
      missing: page.missing ?? [],
    };
  }

  // --- counting ----------------------------------------------------------------------------------------------

  private async count(
    request: FastifyRequest<{
      Params: OfStore;
      Querystring: PageQuery & { readonly approximate?: boolean };
    }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { query } = request;
    const { approximate = true } = query;
    const { handle } = await planEntries(this.application.stores, request.params.store, undefined, {});
    const options = pageOptions(query);
    const { limit, ...unlimited } = options;
    void limit;
    const counted = approximate ? await handle.approximateCount(options) : await handle.count(unlimited);
    let count: number | null = counted;
    const missing: { partition: number; code: string; message: string; owner: string }[] = [];
    if (!isForwarded(request) && query.scope !== 'local' && handle.shape.subTopology !== null) {
      for (const { applicationServer, isLocal, activePartitions } of handle.metadata()) {
        if (isLocal || applicationServer === null || activePartitions.length === 0) continue;
        const { path, search } = splitUrl(request.url);
        search.set('only', activePartitions.join(','));
        try {
          const url = `${path}?${search.toString()}`;
          const answer = await this.forwarder.json(applicationServer, url, request.headers.authorization);
          const theirs = (answer as { count?: unknown } | null)?.count;
          count = count === null || typeof theirs !== 'number' ? null : count + theirs;
        } catch (error) {
          if (!(error instanceof StoreQueryError)) throw error;
          for (const partition of activePartitions)
            missing.push({
              partition,
              code: error.code,
              message: messageOf(error),
              owner: applicationServer,
            });
        }
      }
    }
    return send(reply, { count, approximate, complete: missing.length === 0, missing });
  }
}

interface ForwardedPage extends Omit<GatheredPage, 'entries'> {
  readonly entries: { readonly partition: number }[];
  readonly rawKeys: readonly string[];
}

async function entryOf(
  handle: AnyHandle,
  key: unknown,
  { windowStart, windowEnd, asOf }: OneQuery,
  read: ReadOptions & { readonly partition?: number },
): Promise<object | null> {
  if (handle instanceof QueryableStore) return handle.entry(key, read);
  if (handle instanceof QueryableVersionedStore)
    return handle.get(key, { ...read, ...(asOf === undefined ? {} : { asOf }) });
  if (windowStart === undefined || (handle instanceof QueryableSessionStore && windowEnd === undefined)) {
    throw new StoreQueryError({
      code: 'MILLRACE_QUERY_INVALID',
      message: `Store "${handle.name}" has windows: windowStart${handle instanceof QueryableSessionStore ? ' and windowEnd say' : ' says'} which.`,
      remedy: `Name it, or ask for stores/${handle.name}/keys/<key>/entries.`,
    });
  }
  const window = { start: windowStart, end: windowEnd ?? null };
  const value =
    handle instanceof QueryableSessionStore
      ? await handle.get(key, windowStart, windowEnd!, read)
      : await handle.get(key, windowStart, { ...read, ...(windowEnd === undefined ? {} : { windowEnd }) });
  return value === null ? null : { key, window, value };
}

function readOptions({ from, maxLag }: ReadQuery): ReadOptions {
  return {
    ...(from === undefined ? {} : { from }),
    ...(maxLag === undefined ? {} : { maxLag: maxLag === 'unbounded' ? Infinity : Number(maxLag) }),
  };
}

function pageOptions(query: PageQuery): PageOptions {
  const { limit = LIMIT_DEFAULT, cursor, reverse, only } = query;
  return {
    ...readOptions(query),
    limit,
    ...(cursor === undefined ? {} : { cursor }),
    ...(reverse === undefined ? {} : { reverse }),
    ...(only === undefined ? {} : { only: only.split(',').map(Number) }),
  };
}

function pageBody({ entries, cursor, sources, missing }: GatheredPage, forwarded: boolean): object {
  return {
    entries: entries.map(({ entry }) => entry),
    cursor,
    complete: missing.length === 0,
    sources,
    missing,
    ...(forwarded
      ? { rawKeys: entries.map(({ rawKey }) => Buffer.from(rawKey, 'latin1').toString('base64')) }
      : {}),
  };
}

function sendPage(
  reply: FastifyReply,
  page: GatheredPage,
  { requireComplete = false }: PageQuery,
  forwarded: boolean,
): Promise<FastifyReply> {
  const lacking = page.missing[0];
  if (requireComplete && !forwarded && lacking !== undefined) {
    throw new StoreQueryError({
      code: 'MILLRACE_QUERY_UNANSWERED',
      message: `${page.missing.length} partition(s) could not be read, the first of them ${lacking.partition}: ${lacking.message}`,
      remedy: 'Ask again later, or without requireComplete.',
      retryAfterMs: lacking.retryAfterMs ?? 1_000,
      owner: lacking.owner,
    });
  }
  return send(reply, pageBody(page, forwarded));
}

function isForwarded(request: FastifyRequest): boolean {
  return request.headers[FORWARDED_HEADER] !== undefined;
}

async function send(reply: FastifyReply, body: object): Promise<FastifyReply> {
  return reply.type('application/json; charset=utf-8').send(toJson(body));
}

function answerWith(reply: FastifyReply, { status, retryAfter, body }: Forwarded): FastifyReply {
  if (retryAfter !== null) void reply.header('retry-after', retryAfter);
  return reply.code(status).type('application/json; charset=utf-8').send(body);
}

function splitUrl(url: string): { readonly path: string; readonly search: URLSearchParams } {
  const at = url.indexOf('?');
  return at < 0
    ? { path: url, search: new URLSearchParams() }
    : { path: url.slice(0, at), search: new URLSearchParams(url.slice(at + 1)) };
}
