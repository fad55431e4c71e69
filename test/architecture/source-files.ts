// Lists the repository's files for the tidy tests. Reads only; knows nothing of the rules.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export interface SourceFile {
  /** Relative to the repository's root, with forward slashes. */
  readonly path: string;
  readonly lines: readonly string[];
}

/** Names of the files directly in `folder`; empty when there is no such folder. */
export function filesIn(folder: string): string[] {
  try {
    return readdirSync(join(root, folder));
  } catch {
    return [];
  }
}

/** Every TypeScript file below the given top-level folders whose path matches. */
export function sourceFiles(folders: readonly string[], matching: RegExp): SourceFile[] {
  const files: SourceFile[] = [];
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      const path = `${folder}/${name.replaceAll('\\', '/')}`;
      if (!path.endsWith('.ts') || path.includes('node_modules/') || !matching.test(path)) continue;
      files.push({ path, lines: readFileSync(join(root, path), 'utf8').split('\n') });
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** `path:line` of every line that breaks a rule. */
export function linesMatching(files: readonly SourceFile[], breaksRule: (line: string) => boolean): string[] {
  const found: string[] = [];
  for (const { path, lines } of files) {
    lines.forEach((line, index) => {
      if (breaksRule(line)) found.push(`${path}:${index + 1}`);
    });
  }
  return found;
}
