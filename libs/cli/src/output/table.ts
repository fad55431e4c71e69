// Owns tables of text: columns as wide as their widest cell, numbers to the right.

export type Cell = string | number | null | undefined;

const GAP = '  ';
const NOTHING = '-';

/** With a line of headings. Without rows it is the headings alone. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => headings.map((_, at) => textOf(row[at])));
  const isNumeric = headings.map((_, at) => rows.length > 0 && rows.every((row) => isNumber(row[at])));
  const widths = headings.map((heading, at) =>
    Math.max(heading.length, ...texts.map((row) => row[at]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => (isNumeric[at] === true ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join(GAP)
      .trimEnd();
  return [line(headings), ...texts.map(line)].map((text) => `${text}\n`).join('');
}

function textOf(cell: Cell): string {
  if (cell === null || cell === undefined || cell === '') return NOTHING;
  return printable(String(cell));
}

/** Names and messages come from outside: what would move the cursor is shown, not done. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

function isNumber(cell: Cell): boolean {
  return typeof cell === 'number' || cell === null || cell === undefined;
}
