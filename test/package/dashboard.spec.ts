// Specifies that the package brings the dashboard along as the compiler wrote it: modules, styles, libraries, pages of error codes. It needs no broker.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

/** Loads the page as a browser does: the document, and all it names. */
const LOAD = `
  import { SimulatedKafka, StreamsApplication, StreamsBuilder, silentLogger } from 'millrace';
  import { createControlServer } from 'millrace/control';
  const application = new StreamsApplication({
    applicationId: 'built', instanceId: 'one', kafka: new SimulatedKafka(), state: 'memory', logger: silentLogger,
    topology: () => { const builder = new StreamsBuilder(); builder.stream('in').to('out'); return builder; },
  });
  const server = await createControlServer({ applications: [application], port: 0 });
  const html = await (await fetch(server.url)).text();
  const names = [...html.matchAll(/(?:href|src)="\\.\\/([^"]+)"/g)].map((match) => match[1]);
  const files = {};
  for (const name of [...names, 'errors/MILLRACE_EPOCH_ABORTED']) {
    const response = await fetch(server.url + '/' + name);
    files[name.replace(/^assets\\/\\w+\\//, '')] = response.status + ' ' + (await response.text()).slice(0, 2_000);
  }
  await server.close();
  console.log(JSON.stringify(files));
`;

beforeAll(() => {
  const build = spawnSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { encoding: 'utf8' });
  if (build.status !== 0) throw new Error(build.stdout + build.stderr);
}, 240_000);

it('serves compiled modules with all they import, and the pages of error codes', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', LOAD], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect([status, stderr]).toEqual([0, '']);
  const files = JSON.parse(stdout) as Record<string, string>;
  const names = Object.keys(files);
  expect(names).toEqual(
    expect.arrayContaining(['main.js', 'style.css', 'views/topology.js', 'vendor/uplot.js']),
  );
  expect(names.filter((name) => name.endsWith('.ts'))).toEqual([]);
  expect(Object.values(files).filter((file) => !file.startsWith('200 '))).toEqual([]);
  for (const [name, file] of Object.entries(files)) {
    if (name.startsWith('vendor/')) continue;
    for (const [, from] of file.matchAll(/^(?:import|export) .*from '(\.[^']+)'/gm)) {
      expect([name, from, names.includes(resolved(name, from!))]).toEqual([name, from, true]);
    }
  }
  expect(files['errors/MILLRACE_EPOCH_ABORTED']).toContain('What happened.');
}, 120_000);

function resolved(from: string, to: string): string {
  return new URL(to, `http://page/${from}`).pathname.slice(1);
}
