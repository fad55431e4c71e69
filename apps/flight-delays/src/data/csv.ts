// Owns reading comma-separated values with quoted fields (RFC 4180).

/** One object per line after the first, by the names in the first. */
export function parseCsv(text: string): Record<string, string>[] {
  const [header, ...lines] = parseLines(text);
  if (header === undefined) return [];
  return lines.map((fields) =>
    Object.fromEntries(header.map((name, column) => [name, fields[column] ?? ''])),
  );
}

function parseLines(text: string): string[][] {
  const lines: string[][] = [];
  let fields: string[] = [];
  // A field in quotes, where "" is one quote, or one without; then a comma, a line's end, or the text's.
  const field = /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/gy;
  let more = text !== '';
  while (more) {
    const match = field.exec(text);
    if (match === null) throw new Error(`line ${lines.length + 1} has a quote that is not closed`);
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === ',') continue; // even at the end of the text a field follows: an empty one
    lines.push(fields);
    fields = [];
    more = field.lastIndex < text.length;
  }
  return lines;
}
