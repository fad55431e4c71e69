// Holds the error codes and their pages together, both ways.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ERROR_CODES } from '#libs/core';
import { filesIn, root } from './source-files.ts';

const pages = filesIn('docs/errors')
  .filter((name) => name.startsWith('MILLRACE_'))
  .map((name) => name.replace(/\.md$/, ''))
  .sort();

describe('error codes', () => {
  it('names each code once', () => {
    expect([...new Set(ERROR_CODES)]).toEqual([...ERROR_CODES]);
  });

  it('has a page for every code, and no page for a code that is gone', () => {
    expect(pages).toEqual([...ERROR_CODES].sort());
  });

  it('opens every page with its code and says what to do', () => {
    const incomplete = pages.filter((code) => {
      const text = readFileSync(join(root, 'docs/errors', `${code}.md`), 'utf8');
      return !text.startsWith(`# ${code}`) || !/what to do/i.test(text);
    });
    expect(incomplete).toEqual([]);
  });
});
