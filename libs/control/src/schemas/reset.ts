// Owns the shapes of a reset: what is asked for and what it changes.
import { z } from 'zod';

const offset = z.object({
  topic: z.string(),
  partition: z.number(),
  from: z.number().nullable().describe('What is committed; null: nothing is.'),
  to: z.number(),
  clamped: z.boolean().describe('What was asked for lies outside of the partition.'),
});

export const resetPlan = z.object({
  applicationId: z.string(),
  group: z.object({
    type: z.enum(['classic', 'streams']),
    state: z.string(),
    members: z.array(
      z.object({
        memberId: z.string(),
        groupInstanceId: z.string().nullable(),
        clientId: z.string(),
        clientHost: z.string(),
      }),
    ),
  }),
  unfinished: z.boolean().describe('An earlier reset was begun and not ended.'),
  offsets: z.array(offset),
  missingTopics: z.array(z.string()),
  topics: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['changelog', 'repartition', 'retry']),
      because: z.enum(['offsets', 'named', 'name']),
    }),
  ),
  leftTopics: z.array(z.object({ name: z.string(), group: z.string() })),
  state: z
    .array(
      z.object({
        directory: z.string(),
        tasks: z.array(z.string()),
        bytes: z.number(),
        inUse: z.boolean(),
      }),
    )
    .describe('Of this machine.'),
  transactions: z.array(
    z.object({ transactionalId: z.string(), phase: z.enum(['unused', 'open', 'ending', 'ended']) }),
  ),
  deadLetters: z.array(offset).describe('Of the group of redrives.'),
});

/** JSON Schema of the body: by hand, as it is also what is checked. */
export const RESET_BODY = {
  type: ['object', 'null'],
  properties: {
    execute: {
      type: 'boolean',
      default: false,
      description: 'Without it nothing changes, and the answer says what would.',
    },
    target: {
      description: 'Where the inputs are read from again.',
      default: 'earliest',
      oneOf: [
        { type: 'string', enum: ['earliest', 'latest'] },
        {
          type: 'object',
          properties: { timestampMs: { type: 'integer', minimum: 0 } },
          required: ['timestampMs'],
          additionalProperties: false,
        },
        {
          type: 'object',
          properties: { offset: { type: 'integer', minimum: 0 } },
          required: ['offset'],
          additionalProperties: false,
        },
        {
          type: 'object',
          properties: { shiftBy: { type: 'integer' } },
          required: ['shiftBy'],
          additionalProperties: false,
        },
      ],
    },
    deadLetters: { type: 'string', enum: ['done', 'keep'] },
    force: { type: 'boolean', default: false, description: 'Puts members out of the group first.' },
  },
  additionalProperties: false,
} as const;
