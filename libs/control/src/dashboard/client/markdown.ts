// Owns the reading of the error pages: as much of Markdown as they use, as data that the page draws as text. Links keep their words and
// lose their targets, which lie in the repository. Pure.

export interface Inline {
  readonly kind: 'text' | 'strong' | 'code' | 'em';
  readonly text: string;
}

export type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly inlines: readonly Inline[] }
  | { readonly kind: 'paragraph'; readonly inlines: readonly Inline[] }
  | { readonly kind: 'list'; readonly isOrdered: boolean; readonly items: readonly (readonly Inline[])[] }
  | { readonly kind: 'code'; readonly text: string };

const BULLET = /^(?:[-*]|(\d+)\.)\s+/;

export function parseMarkdown(text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length;) {
    const line = lines[i]!;
    if (line.trim() === '') {
      i++;
    } else if (line.startsWith('```')) {
      const end = lines.indexOf('```', i + 1);
      const stop = end < 0 ? lines.length : end;
      blocks.push({ kind: 'code', text: lines.slice(i + 1, stop).join('\n') });
      i = stop + 1;
    } else if (/^#{1,6} /.test(line)) {
      const level = line.indexOf(' ');
      blocks.push({ kind: 'heading', level, inlines: parseInlines(line.slice(level + 1)) });
      i++;
    } else if (BULLET.test(line)) {
      const isOrdered = BULLET.exec(line)![1] !== undefined;
      const items: string[] = [];
      for (; i < lines.length && lines[i]!.trim() !== ''; i++) {
        if (BULLET.test(lines[i]!)) items.push(lines[i]!.replace(BULLET, ''));
        else items[items.length - 1] += ` ${lines[i]!.trim()}`;
      }
      blocks.push({ kind: 'list', isOrdered, items: items.map(parseInlines) });
    } else {
      const from = i;
      while (i < lines.length && lines[i]!.trim() !== '' && !lines[i]!.startsWith('```')) i++;
      blocks.push({ kind: 'paragraph', inlines: parseInlines(lines.slice(from, i).join(' ')) });
    }
  }
  return blocks;
}

export function parseInlines(text: string): Inline[] {
  const plain = text.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1');
  const inlines: Inline[] = [];
  for (const part of plain.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)/)) {
    if (part === '') continue;
    if (/^`.+`$/.test(part)) inlines.push({ kind: 'code', text: part.slice(1, -1) });
    else if (/^\*\*.+\*\*$/.test(part)) inlines.push({ kind: 'strong', text: part.slice(2, -2) });
    else if (/^\*.+\*$/.test(part)) inlines.push({ kind: 'em', text: part.slice(1, -1) });
    else inlines.push({ kind: 'text', text: part });
  }
  return inlines;
}
