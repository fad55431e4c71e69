// Owns how the counts are shown: the most frequent words as bars.
import { barChart } from '../../lesson-kit/src/index.ts';
import type { BarChartOptions, Drawing } from '../../lesson-kit/src/index.ts';

const ROWS = 15;
const IN_A_LINE = 5;

/** The most frequent words, most frequent first; in the order of the alphabet where equal. */
export function mostFrequent(counts: ReadonlyMap<string, number>, rows: number): [string, number][] {
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, rows);
}

/** `status`: the line under the title. */
export function drawing(counts: ReadonlyMap<string, number>, status: string): Drawing {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const title = `${total.toLocaleString('en')} words, ${counts.size.toLocaleString('en')} different ones`;
  const few = mostFrequent(counts, IN_A_LINE).map(([word, count]) => `${word} ${count}`);
  return {
    picture: (style: Required<BarChartOptions>) => {
      const bars = barChart(
        mostFrequent(counts, ROWS).map(([label, value]) => ({ label, value })),
        style,
      );
      const bold = style.colour ? `\u001b[1m${title}\u001b[0m` : title;
      const lines = [bold, status, '', ...bars.split('\n')];
      // Always as many, so that a redraw covers the last.
      return [...lines, ...Array.from({ length: ROWS + 3 - lines.length }, () => '')].join('\n');
    },
    line: `${title}; ${status}${few.length === 0 ? '' : `; ${few.join(', ')}`}`,
  };
}
