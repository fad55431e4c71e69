// Owns the text that is counted: a small story, written for this lesson, a sentence a line.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Its lines, without the empty ones. */
export async function readStory(): Promise<string[]> {
  const text = await readFile(join(import.meta.dirname, 'the-mill.txt'), 'utf8');
  return text.split('\n').filter((line) => line !== '');
}
