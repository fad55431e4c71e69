// Links of the guide lead somewhere: to files that exist and headings that they have; and every page is linked from where readers begin.
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: ROOT })].filter((page) =>
  existsSync(join(ROOT, page)),
);

const textOf = (page: string): string =>
  readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');

/** As GitHub makes them: lower case, no punctuation, spaces to hyphens. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of textOf(page).matchAll(/^#+ (.+)$/gm)) {
    const anchor = heading!
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

function linksOf(page: string): string[] {
  const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  return links.filter((link) => !/^[a-z]+:/i.test(link));
}

/** The file that a link leads to, from the root on. */
const targetOf = (page: string, link: string): string => {
  const [path = ''] = link.split('#');
  return path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
};

describe('the documents', () => {
  it('link to files and headings that exist', () => {
    const broken: string[] = [];
    let count = 0;
    for (const page of pages) {
      for (const link of linksOf(page)) {
        count++;
        const target = targetOf(page, link);
        const anchor = link.split('#')[1];
        if (!existsSync(join(ROOT, target))) broken.push(`${page}: ${link}`);
        else if (anchor !== undefined && !statSync(join(ROOT, target)).isDirectory()) {
          if (target.endsWith('.md') && !anchorsOf(target).has(anchor)) broken.push(`${page}: ${link}`);
        }
      }
    }
    expect(count).toBeGreaterThan(100);
    expect(broken).toEqual([]);
  });

  it('link to every page of the guide from the README and from its first page', () => {
    const guide = pages.filter((page) => page.startsWith('docs/guide/'));
    expect(guide.length).toBeGreaterThan(10);
    for (const start of ['README.md', 'docs/guide/topology.md']) {
      const linked = new Set(linksOf(start).map((link) => targetOf(start, link)));
      expect(guide.filter((page) => page !== start && !linked.has(page))).toEqual([]);
    }
  });

  it('name files of the code that exist', () => {
    const files = pages.flatMap((page) =>
      [...textOf(page).matchAll(/`((?:libs|apps|test)\/[\w./-]+\.\w+)`/g)].map(
        ([, file]) => `${page}: ${file!}`,
      ),
    );
    expect(files.length).toBeGreaterThan(30);
    expect(files.filter((file) => !existsSync(join(ROOT, file.slice(file.indexOf(': ') + 2))))).toEqual([]);
  });

  it('name no path of a machine', () => {
    expect(pages.filter((page) => /(^|[\s("'`])\/(work|home|root)\//.test(textOf(page)))).toEqual([]);
  });
});
