// Owns the shapes of query requests and answers, for checks of what comes in and for the OpenAPI document.
import { PAGE_ROWS_MAX } from '#libs/millrace';

/** Unique in a document that shows several applications. */
export function operationOf(applicationId: string, name: string): string {
  return `${applicationId.replace(/[^a-zA-Z0-9]/g, '_')}_${name}`;
}

const text = (description: string): object => ({ type: 'string', maxLength: 8_192, description });
const time = (description: string): object => ({ type: 'integer', description });

const READ = {
  from: {
    type: 'string',
    enum: ['active', 'activeOrStandby'],
    default: 'active',
    description: 'Whether a standby copy will do where the owner cannot be had',
  },
  maxLag: {
    type: 'string',
    pattern: '^(\\d{1,15}|unbounded)$',
    default: '0',
    description: 'Records that a standby copy may be behind: a number, or "unbounded"',
  },
  partition: { type: 'integer', minimum: 0, description: 'Where a partitioner of your own put the key' },
};

const PAGE = {
  limit: { type: 'integer', minimum: 1, maximum: PAGE_ROWS_MAX, default: 100 },
  cursor: { type: 'string', maxLength: 65_536, description: 'Of the answer before' },
  reverse: { type: 'boolean', default: false },
  scope: {
    type: 'string',
    enum: ['all', 'local'],
    default: 'all',
    description: 'All instances, or this one',
  },
  requireComplete: {
    type: 'boolean',
    default: false,
    description: 'Refuse, with status 503, rather than leave out what a partition has',
  },
  only: { type: 'string', pattern: '^\\d{1,6}(,\\d{1,6})*$', description: 'Of these partitions only' },
};

const object = (properties: object, description?: string): object => ({
  type: 'object',
  properties,
  additionalProperties: false,
  ...(description === undefined ? {} : { description }),
});

export const STORE_PARAMS = object({ store: { type: 'string', minLength: 1, maxLength: 1_024 } });
export const KEY_PARAMS = object({
  store: { type: 'string', minLength: 1, maxLength: 1_024 },
  key: { type: 'string', maxLength: 1_024, description: 'As the store’s serde writes it' },
});

export const ONE_QUERY = object({
  ...READ,
  windowStart: time('Of a window store: the window that begins then'),
  windowEnd: time('Of cumulative windows and sessions: the end'),
  asOf: time('Of a versioned store: the version valid then'),
});

export const ENTRIES_QUERY = object({
  ...READ,
  ...PAGE,
  lower: text('The first key, as the serde writes it'),
  upper: text('The last key, included'),
  prefix: text('What encoded keys begin with'),
  fromTime: time('Of windows: the first start; of sessions: the first end'),
  toTime: time('The last one, included'),
});

export const COUNT_QUERY = object({
  ...READ,
  scope: PAGE.scope,
  only: PAGE.only,
  approximate: { type: 'boolean', default: true },
});

export const CHANGES_QUERY = object({
  scope: PAGE.scope,
  since: { type: 'string', enum: ['latest', 'earliest'], default: 'latest' },
  resume: { type: 'string', maxLength: 65_536, description: 'The id of the last event that was seen' },
});

const SOURCES = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      partition: { type: 'integer' },
      role: { type: 'string', enum: ['active', 'standby'] },
      position: { type: ['integer', 'null'], description: 'Changelog offset the answer is as of' },
      lag: { type: 'integer', description: '-1: not known' },
    },
  },
};
const MISSING = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      partition: { type: 'integer' },
      code: { type: 'string' },
      message: { type: 'string' },
      retryAfterMs: { type: ['integer', 'null'] },
      owner: { type: ['string', 'null'] },
    },
  },
};

const REFUSAL = {
  description: 'Why not, and when to ask again',
  content: {
    'application/json': {
      schema: {
        type: 'object',
        properties: {
          error: {
            type: 'object',
            properties: {
              code: { type: 'string' },
              message: { type: 'string' },
              where: { type: 'string' },
              remedy: { type: ['string', 'null'] },
              retryAfterMs: { type: ['integer', 'null'] },
              owner: { type: ['string', 'null'] },
            },
          },
        },
      },
    },
  },
};

function answers(description: string, schema: object, type = 'application/json'): object {
  return {
    200: { description, content: { [type]: { schema } } },
    '4xx': REFUSAL,
    '5xx': REFUSAL,
  };
}

export const STORES_ANSWER = answers('The stores that can be queried', { type: 'object' });
export const STORE_ANSWER = answers('What it is, and which instance has what of it', { type: 'object' });
export const ENTRY_ANSWER = answers('The entry; null: there is none', {
  type: 'object',
  properties: { entry: { type: ['object', 'null'] } },
});
export const PAGE_ANSWER = answers('Entries in the order of encoded keys', {
  type: 'object',
  properties: {
    entries: { type: 'array', items: { type: 'object' } },
    cursor: { type: ['string', 'null'], description: 'For the next page' },
    complete: { type: 'boolean', description: 'No partition is missing' },
    sources: SOURCES,
    missing: MISSING,
  },
});
export const COUNT_ANSWER = answers('How many rows', {
  type: 'object',
  properties: {
    count: { type: ['integer', 'null'] },
    approximate: { type: 'boolean' },
    complete: { type: 'boolean' },
    missing: MISSING,
  },
});
export const CHANGES_ANSWER = answers(
  'Events of the type "change"; the last one of the type "end" says why it ended',
  { type: 'string' },
  'text/event-stream',
);
