// Specifies what is said to wrong arguments: each kind is refused with exit code 2 and what to do, before anything is asked of anybody.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { run } from './support.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const NOWHERE = ['-b', '127.0.0.1:1'];

describe('millrace', () => {
  it('shows help with every command, and for each one examples', async () => {
    const { exitCode, stdout } = await run(['--help']);
    expect(exitCode).toBe(0);
    for (const name of ['describe', 'tasks', 'lag', 'reset', 'dlq', 'dump', 'verify', 'types']) {
      expect(stdout).toContain(name);
      const help = await run(name === 'dlq' ? ['dlq', 'redrive', '--help'] : [name, '--help']);
      expect(help).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/Example/) });
      expect(help.stdout).toContain('--json');
    }
  });

  it('tells its version', async () => {
    expect(await run(['--version'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
  });

  it('suggests the command or flag that is meant', async () => {
    expect(await run(['rest'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('Did you mean reset?'),
    });
    const flag = await run(['lag', 'app', '--topics', 'x']);
    expect(flag).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--topic') });
  });

  it.each<[string, string[], RegExp]>([
    ['no application', ['lag'], /missing required argument 'application'/],
    ['no brokers', ['lag', 'app'], /--bootstrap-server, or MILLRACE_KAFKA_BROKERS/],
    ['brokers that are none', ['lag', 'app', '-b', 'a:b:c'], /--bootstrap-server/],
    ['an id that is none', ['lag', '../app', ...NOWHERE], /the argument application must be/],
    [
      'an offset that is no number',
      ['reset', 'app', ...NOWHERE, '--to-offset', 'x'],
      /whole number of at least 0/,
    ],
    ['an offset below 0', ['reset', 'app', ...NOWHERE, '--to-offset', '-1'], /at least 0/],
    ['a shift by a part', ['reset', 'app', ...NOWHERE, '--shift-by', '1.5'], /whole number/],
    [
      'two targets',
      ['reset', 'app', ...NOWHERE, '--to-latest', '--to-offset', '1'],
      /--to-latest and --to-offset/,
    ],
    ['a time that is none', ['reset', 'app', ...NOWHERE, '--to-datetime', 'soon'], /not a date and time/],
    ['a duration that is none', ['reset', 'app', ...NOWHERE, '--by-duration', 'long'], /not a duration/],
    [
      'another word for dead letters',
      ['reset', 'app', ...NOWHERE, '--dead-letters', 'x'],
      /Allowed choices are done, keep/,
    ],
    ['no dead-letter topic', ['dlq', 'list', 'app'], /missing required argument 'topic'/],
    ['a time of a filter', ['dlq', 'list', 'app', 'dead', ...NOWHERE, '--since', 'x'], /not a date and time/],
    ['an unknown format', ['dump', 'app', 'store', ...NOWHERE, '--value-format', 'xml'], /Allowed choices/],
    [
      'avro without a registry',
      ['dump', 'app', 'store', ...NOWHERE, '--value-format', 'avro'],
      /--value-format avro needs/,
    ],
    ['an unknown layout', ['dump', 'app', 'store', ...NOWHERE, '--layout', 'heap'], /--layout "heap"/],
    [
      'a module and a layout',
      ['dump', 'app', 's', ...NOWHERE, '--layout', 'plain', '--module', 'x'],
      /both given/,
    ],
    [
      'two servers to ask',
      ['dump', 'app', 's', '--control', 'http://a', '--query', 'http://b'],
      /both given/,
    ],
    ['a store without a topic', ['verify', 'app', ...NOWHERE, '--changelog', 'totals'], /store=topic/],
    ['no module', ['describe'], /Neither a module nor --control/],
    ['a module that is not there', ['describe', 'nowhere.ts'], /There is no module/],
    [
      'a control server without an application',
      ['describe', '--control', 'http://a'],
      /--application is missing/,
    ],
    ['an address that is none', ['lag', 'app', '--control', 'nowhere'], /is not a URL/],
    ['an address of another kind', ['lag', 'app', '--control', 'ftp://a'], /neither http nor https/],
    ['a password in an address', ['lag', 'app', '--control', 'http://me:secret@a'], /holds a user name/],
    [
      'a token that cannot be read',
      ['lag', 'app', '--control', 'http://a', '--control-token-file', 'x'],
      /ENOENT/,
    ],
    ['no schema', ['types'], /missing required argument 'files'/],
    ['a schema that is not there', ['types', 'nowhere.avsc'], /nowhere\.avsc/],
  ])('refuses %s', async (_what, args, said) => {
    const { exitCode, stdout, stderr } = await run(args);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(said);
    expect(stderr).not.toContain('secret');
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('refuses a module that holds no topology, and names what it holds', async () => {
    const file = join(folder, 'other.mjs');
    await writeFile(file, 'export const answer = 42; export function other(a) { return a; }');
    const { exitCode, stderr } = await run(['describe', file]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('it exports answer, other');
    expect((await run(['describe', file, '--export', 'x'])).stderr).toContain('no "x"');
  });

  it('takes connection settings from variables and a file, flags first, and shows no secret', async () => {
    const file = join(folder, 'millrace.json');
    await writeFile(
      file,
      JSON.stringify({ kafka: { brokers: ['127.0.0.1:1'], sasl: { mechanism: 'plain' } } }),
    );
    const environment = { MILLRACE_KAFKA_SASL_PASSWORD: 'canary-password' };
    const missing = await run(['lag', 'app', '--config', file], { environment });
    expect(missing).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--sasl-username') });
    expect(missing.stderr).not.toContain('canary');
    const contradicted = await run([
      'lag',
      'app',
      '--ssl',
      '--env-prefix',
      'OTHER_',
      '--sasl-mechanism',
      'x',
    ]);
    expect(contradicted.stderr).toMatch(
      /--sasl-mechanism: must be one of plain, scram-sha-256, scram-sha-512/,
    );
  });

  it('tells errors as JSON where results are', async () => {
    const { exitCode, stderr } = await run(['lag', 'app', '--json']);
    expect(exitCode).toBe(2);
    const { error } = JSON.parse(stderr) as { error: { code: string; remedy: string; stack?: string } };
    expect(error).toMatchObject({ code: 'MILLRACE_INVALID_CONFIG', remedy: expect.any(String) });
    expect(error.stack).toBeUndefined();
    expect((await run(['lag', 'app', '--verbose'])).stderr).toMatch(/\n\s+at /);
  });

  it('shows what would move the cursor, and does not do it', async () => {
    const { stderr } = await run(['describe', 'no\u001b[2Jwhere.ts']);
    expect(stderr).toContain('no\\x1b[2Jwhere.ts');
    expect(stderr).not.toContain('\u001b');
  });

  it('says so where nobody answers', async () => {
    const { exitCode, stderr } = await run(['lag', 'app', '--control', 'http://127.0.0.1:1']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('MILLRACE_CONTROL_UNREACHABLE');
  });
});
