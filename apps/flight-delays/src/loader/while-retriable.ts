// Owns patience with a broker that is still catching up with what it was told a moment ago.
import { setTimeout as delay } from 'node:timers/promises';

// Node finds only some names of this CommonJS package; its errors come with the whole.
import kafkajs from 'kafkajs';

const ATTEMPTS = 50;
const PAUSE_MS = 100;

/** Runs `ask` again while it fails with an error that passes: a topic not known yet, a partition not led yet. */
export async function whileRetriable<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof kafkajs.KafkaJSError) || !error.retriable) throw error;
      await delay(PAUSE_MS);
    }
  }
}
