// Specifies that no regular expression of the product takes time beyond the length of its text: no group that is repeated without bound holds
// something repeated without bound.
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { sourceFiles } from './source-files.ts';
import type { SourceFile } from './source-files.ts';

const UNBOUNDED = /^(?:[*+]|\{\d+,\})/;

/** Is something in `pattern` repeated without bound within something repeated without bound? */
function nestsRepetition(pattern: string): boolean {
  /** For each open group: does it hold a repetition? */
  const groups: boolean[] = [false];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === '\\') at++;
    else if (character === '[') {
      while (pattern[++at] !== ']') if (pattern[at] === '\\') at++;
    } else if (character === '(') {
      groups.push(false);
      if (pattern[at + 1] === '?') at += 2;
    } else if (character === ')') {
      const inner = groups.pop()!;
      if (inner && UNBOUNDED.test(pattern.slice(at + 1))) return true;
      if (inner) groups[groups.length - 1] = true;
    } else if (UNBOUNDED.test(pattern.slice(at))) {
      groups[groups.length - 1] = true;
    }
  }
  return false;
}

function patternsOf({ path, lines }: SourceFile): string[] {
  const source = ts.createSourceFile(path, lines.join('\n'), ts.ScriptTarget.Latest, false);
  const patterns: string[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.RegularExpressionLiteral) {
      const { text } = node as ts.RegularExpressionLiteral;
      patterns.push(text.slice(1, text.lastIndexOf('/')));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return patterns;
}

describe('the regular expressions of the product', () => {
  it('repeat nothing within a repetition', () => {
    const files = sourceFiles(['libs'], /^libs\/[\w-]+\/src\//);
    const found = files.flatMap((file) => patternsOf(file).map((pattern) => ({ path: file.path, pattern })));
    expect(found.length).toBeGreaterThan(50);
    const nested = found.filter(({ pattern }) => nestsRepetition(pattern));
    expect(nested).toEqual([]);
  });

  it('are told apart by the check', () => {
    for (const bad of ['(a+)+', '(?:a*b?)*', '([ab]+c)*', '(x(y{2,})z)+', '((a+))*'])
      expect([bad, nestsRepetition(bad)]).toEqual([bad, true]);
    for (const good of ['a+b*', '(?:[^"\\\\]|\\\\.)*', '(a{1,3})+', '[(a+)+]+', '(a)+(b)+', '(a+)?'])
      expect([good, nestsRepetition(good)]).toEqual([good, false]);
  });
});
