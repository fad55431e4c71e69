// Owns a bar chart as lines of text. It draws what it is given, in the order given.

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What stands for the value. Default: the number, with separators. */
  readonly text?: string;
}

export interface BarChartOptions {
  /** Columns to draw into. Default 80. */
  readonly columns?: number;
  /** ANSI colours. Default false. */
  readonly colour?: boolean;
}

const LABEL_COLUMNS_MAX = 24;

/** A line for each bar; the longest fills the columns. Values below nothing have no bar. */
export function barChart(bars: readonly Bar[], options: BarChartOptions = {}): string {
  const { columns = 80, colour = false } = options;
  const texts = bars.map(({ value, text }) => text ?? value.toLocaleString('en'));
  const labelColumns = Math.min(LABEL_COLUMNS_MAX, Math.max(0, ...bars.map(({ label }) => label.length)));
  const textColumns = Math.max(0, ...texts.map((text) => text.length));
  const barColumns = Math.max(0, columns - labelColumns - textColumns - 4);
  const longest = Math.max(0, ...bars.map(({ value }) => value));
  return bars
    .map(({ label, value }, index) => {
      const share = longest === 0 ? 0 : Math.max(0, value) / longest;
      // What is there at all is seen.
      const length = value > 0 ? Math.max(1, Math.round(share * barColumns)) : 0;
      const bar = '█'.repeat(Math.min(length, barColumns));
      const line = `${fit(label, labelColumns)}  ${texts[index]!.padStart(textColumns)}  `;
      return bar === '' ? line.trimEnd() : line + (colour ? `\u001b[36m${bar}\u001b[0m` : bar);
    })
    .join('\n');
}

function fit(text: string, columns: number): string {
  return text.length > columns ? `${text.slice(0, columns - 1)}…` : text.padEnd(columns);
}
