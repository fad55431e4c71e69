// Specifies the fraud-patterns service as it is deployed: a process of its own, killed in the middle of a day, whose alerts are held against
// frauds that are known.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { LocalBrokerOptions } from '#libs/broker-local';
import { expectedCounts, verdict } from '../../apps/fraud-patterns/src/check/verdict.ts';
import { TOPICS, TOPIC_CONFIGS } from '../../apps/fraud-patterns/src/data/topics.ts';
import type { Alert, CardEvent, Transaction } from '../../apps/fraud-patterns/src/data/transaction.ts';
import { generateDay } from '../../apps/fraud-patterns/src/generator/day.ts';
import { Publisher } from '../../apps/fraud-patterns/src/generator/publish.ts';
import {
  createTopics,
  outsideClient,
  readFromOutside,
  startServiceProcess,
} from '../../apps/lesson-kit/src/index.ts';
import type { ServiceProcess } from '../../apps/lesson-kit/src/index.ts';
import { describeWithBroker } from '../support/broker.ts';

const ROOT = join(import.meta.dirname, '../..');
const SERVICE = join(ROOT, 'dist/apps/fraud-patterns/src/service/main.js');
/** The names of the service's topics are fixed: this broker is not the one that all specs share. */
const OWN_BROKER: LocalBrokerOptions = { properties: { 'log.cleaner.enable': false } };

let stateDir: string;
let service: ServiceProcess | undefined;

beforeAll(async () => {
  // Decorators cannot be run as they are: the service is the built one.
  const build = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { encoding: 'utf8' });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
  stateDir = await mkdtemp(join(tmpdir(), 'fraud-patterns-spec-'));
}, 180_000);

afterAll(async () => {
  await service?.end('SIGKILL');
  await rm(stateDir, { recursive: true, force: true });
});

describeWithBroker(
  'the fraud-patterns service',
  (broker) => {
    const start = (): Promise<ServiceProcess> =>
      startServiceProcess(SERVICE, {
        MILLRACE_KAFKA_BROKERS: broker().bootstrapServers.join(','),
        MILLRACE_STATE_DIR: stateDir,
        MILLRACE_GROUP_INSTANCE_ID: 'fraud-patterns-1',
        PORT: '0',
      });

    it('finds all frauds and nothing else, and freezes and blocks once, when it is killed half-way', async () => {
      const day = generateDay({ seed: 11, cards: 200, fraudsPerKind: 4 });
      const kafka = outsideClient(broker().bootstrapServers, 'fraud-patterns-spec');
      const admin = kafka.admin();
      await admin.connect();
      await createTopics(admin, TOPIC_CONFIGS);
      await admin.disconnect();
      await using publisher = await Publisher.connect(kafka);
      await publisher.rule(day.rules.first);
      await publisher.rule(day.rules.changed);
      const followed = [TOPICS.alerts, TOPICS.cardEvents, TOPICS.late];
      await using outputs = await readFromOutside(kafka, followed);
      const values = <T>(topic: string): T[] => outputs.records(topic).map(({ value }) => value as T);

      const { signal } = new AbortController();
      const half = Math.floor(day.transactions.length / 2);
      service = await start();
      expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
      await publisher.transactions(day.transactions.slice(0, half), null, signal);
      // Some of the morning's frauds are found, and it is at work.
      expect(await outputs.settled(() => outputs.records(TOPICS.alerts).length > 0)).toBe(true);
      const rest = publisher.transactions(day.transactions.slice(half), 4_000, signal);
      expect(await service.end('SIGKILL')).toBe('SIGKILL');
      service = await start();
      await rest;
      await publisher.endOfDay(day.endsAt);

      const wanted = expectedCounts(day);
      const isThere = (): boolean =>
        outputs.records(TOPICS.alerts).length >= wanted.alerts &&
        outputs.records(TOPICS.cardEvents).length >= wanted.cardEvents &&
        outputs.records(TOPICS.late).length >= wanted.late;
      await outputs.settled(isThere);
      const { isRight, text } = verdict(day, {
        alerts: values<Alert>(TOPICS.alerts),
        cardEvents: values<CardEvent>(TOPICS.cardEvents),
        late: values<Transaction>(TOPICS.late),
      });
      expect(text).toContain('precision 100 %, recall 100 %');
      expect({ isRight, text }).toEqual({ isRight: true, text });
      expect(day.labels).toHaveLength(16);

      const frozen = values<CardEvent>(TOPICS.cardEvents).find(({ event }) => event === 'frozen')!;
      const card = await fetch(`${service.url}/cards/${frozen.card}`);
      // The day is over: the timer has released it.
      expect(await card.json()).toEqual({ card: frozen.card, frozenUntil: null });
      // Nest sends itself the signal once all is drained and closed.
      expect(await service.end('SIGTERM')).toBe('SIGTERM');
    }, 240_000);
  },
  OWN_BROKER,
);
