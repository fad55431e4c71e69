// Rules of style that no linter has. Who may import whom is held by dependency-cruiser, not here.

import { describe, expect, it } from '@jest/globals';
import { linesMatching, sourceFiles } from './source-files.ts';

const LINES_MAX = 600;

const librarySources = sourceFiles(['libs'], /^libs\/[^/]+\/src\//);
const everything = sourceFiles(['libs', 'apps', 'test'], /./);

describe('tidy', () => {
  it('looks at the files that are there', () => {
    expect(librarySources.length).toBeGreaterThan(10);
    expect(everything.map(({ path }) => path)).toContain('test/architecture/tidy.spec.ts');
  });

  it('opens every library file with a comment on what the file owns', () => {
    const bare = librarySources.filter(
      // What a command is run by stands above all else.
      ({ lines }) => !/^(\/\/ \S|\/\*)/.test(lines[lines[0]?.startsWith('#!') === true ? 1 : 0] ?? ''),
    );
    expect(bare.map(({ path }) => path)).toEqual([]);
  });

  it(`keeps every file to one subject: at most ${LINES_MAX} lines`, () => {
    const long = everything.filter(({ lines }) => lines.length > LINES_MAX);
    expect(long.map(({ path, lines }) => `${path}: ${lines.length}`)).toEqual([]);
  });

  it('leaves no focused test behind', () => {
    const specs = everything.filter(({ path }) => path.endsWith('.spec.ts'));
    expect(
      linesMatching(specs, (line) => /^\s*(f(it|describe)|(it|test|describe)\.only)\s*[.(]/.test(line)),
    ).toEqual([]);
  });

  it('leaves no marker for later work and no switched-off type check in the sources', () => {
    // The pattern is put together so that it does not find itself.
    const marker = new RegExp(
      `\\b(${['FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b|@ts-(ignore|nocheck)`,
    );
    const sources = everything.filter(({ path }) => path !== 'test/architecture/tidy.spec.ts');
    expect(linesMatching(sources, (line) => marker.test(line))).toEqual([]);
  });

  it('gives a reason wherever a lint rule is switched off', () => {
    const switchesOff = /(\/\/|\/\*)\s*eslint-disable/;
    const sources = everything.filter(({ path }) => path !== 'test/architecture/tidy.spec.ts');
    expect(linesMatching(sources, (line) => switchesOff.test(line) && !line.includes(' -- '))).toEqual([]);
  });
});
