// docs/guide/compared.md names every operator of Kafka Streams and Flink, says where it is held, and links to what exists.
// compared-apis.txt lists their public methods; it was read from their jars.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = join(ROOT, 'docs/guide/compared.md');
const page = readFileSync(PAGE, 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\|[\s|:-]+\|$/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  .filter(([theirs]) => theirs !== 'Kafka Streams' && theirs !== 'Flink');

const words = (cell: string): string[] => [...cell.matchAll(/`(\w+)`/g)].map(([, word]) => word!);
const named = new Set(rows.flatMap(([theirs]) => words(theirs!)));

const apis = readFileSync(join(import.meta.dirname, 'compared-apis.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line): [string, string[]] => {
    const [owner, methods] = line.split(': ');
    return [owner!, methods!.split(' ')];
  });

describe('the comparison with Kafka Streams and Flink', () => {
  it.each(apis)('names every method of %s', (_owner, methods) => {
    expect(methods.filter((method) => !named.has(method))).toEqual([]);
  });

  it('gives each row an answer, and a test or a reason', () => {
    expect(rows.length).toBeGreaterThan(80);
    const empty = rows.filter(
      ([, ours, test]) => ours === '' || (test === '' && !(ours!.startsWith('—') && ours!.length > 10)),
    );
    expect(empty).toEqual([]);
  });

  it('links to what exists', () => {
    const links = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link!);
    expect(links.filter((link) => !existsSync(join(dirname(PAGE), link)))).toEqual([]);
  });
});
