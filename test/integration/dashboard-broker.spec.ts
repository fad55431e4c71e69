// Specifies that the dashboard shows of a real broker and RocksDB what it shows of simulated ones: records, epochs, state on disk, a restore
// after the state was lost. In a real Chromium; skips itself without one.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createControlServer } from '#libs/control';
import type { ControlServer } from '#libs/control';
import { StreamsApplication, silentLogger } from '#libs/millrace';
import { describeWithBroker, uniqueName } from '../support/broker.ts';
import { describeWithBrowser } from '../support/browser.ts';
import { sumsTopology } from '../support/sums-application.ts';
import { PARTITIONS, createTopics, produce } from '../support/sums-input.ts';

const RECORDS = 5_000;

describeWithBroker('the dashboard of an application on a real broker', (broker) => {
  describeWithBrowser('in a browser', (open) => {
    let folder: string;
    let application: StreamsApplication | null = null;
    let server: ControlServer | null = null;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'millrace-dashboard-'));
    });

    afterEach(async () => {
      await server?.close();
      await application?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    it('shows records, epochs, state on disk, and what is restored', async () => {
      const [input, output, applicationId] = [uniqueName('in'), uniqueName('out'), uniqueName('dashboard')];
      await createTopics(broker(), input, output);
      await produce(broker(), input, 0, RECORDS);
      const start = async (): Promise<string> => {
        application = new StreamsApplication({
          applicationId,
          instanceId: 'one',
          kafka: { brokers: [...broker().bootstrapServers] },
          topology: sumsTopology(input, output),
          stateDir: folder,
          logger: silentLogger,
        });
        server = await createControlServer({ applications: [application], port: 0 });
        await application.start();
        return server.url;
      };
      const { page } = await open(await start());
      await page.locator(`[data-box="${input}"][data-kind="topic"]`).waitFor();
      await page.locator(`[data-box="${output}"]`).getByText('5,000 written').waitFor();
      await page.locator('[data-tile="lag"]').getByText('caught up').waitFor();
      await page
        .locator('[data-tile="state"]')
        .getByText(/on disk/)
        .waitFor();
      await page.getByRole('link', { name: /^Tasks/ }).click();
      await page.locator('[data-key="0_0"]').getByText('running').waitFor();
      expect(await page.getByRole('region', { name: 'Tasks' }).locator('tbody tr').count()).toBe(PARTITIONS);
      await page.getByRole('link', { name: 'Epochs' }).click();
      await page.getByRole('cell', { name: '✓ committed' }).first().waitFor();
      await server!.close();
      await application!.stop();
      await page.close();

      await rm(folder, { recursive: true });
      const { page: after } = await open(`${await start()}/#/${applicationId}/state`);
      await after.getByText(/restores? ended/).click();
      await after.locator('[data-restored]').first().waitFor();
      await after.locator('.badge', { hasText: 'RUNNING' }).first().waitFor();
    }, 180_000);
  });
});
