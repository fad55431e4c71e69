// Owns the pages of error codes as the dashboard shows them: the same that lie in docs/errors, copied beside this file by the build.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ERROR_CODES } from '#libs/core';

const FOLDERS = [join(import.meta.dirname, 'errors'), join(import.meta.dirname, '../../../../docs/errors')];

/** Markdown; `null`: there is no such code, or no page of it here. */
export async function errorText(code: string): Promise<string | null> {
  // A code that is known is a file name; nothing else becomes one.
  if (!(ERROR_CODES as readonly string[]).includes(code)) return null;
  for (const folder of FOLDERS) {
    try {
      return await readFile(join(folder, `${code}.md`), 'utf8');
    } catch {
      // The next folder, or none.
    }
  }
  return null;
}
