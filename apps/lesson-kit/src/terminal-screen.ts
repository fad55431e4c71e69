// Owns drawing in place: on a terminal each drawing covers the last one, elsewhere a line is written whenever it has changed.

export interface Drawing {
  /** The whole picture, for a terminal of that many columns. The same number of lines each time covers the last one cleanly. */
  readonly picture: (style: { readonly columns: number; readonly colour: boolean }) => string;
  /** One line on the same, for outputs that are no terminal. */
  readonly line: string;
}

export class TerminalScreen {
  readonly #stream: NodeJS.WriteStream;
  #linesDrawn = 0;
  #lastLine = '';

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream;
  }

  draw({ picture, line }: Drawing): void {
    if (!this.#stream.isTTY) {
      if (line !== this.#lastLine) this.#stream.write(`${line}\n`);
      this.#lastLine = line;
      return;
    }
    const lines = picture({ columns: this.#stream.columns, colour: hasColour() }).split('\n');
    // Up to the first line of the last drawing, and each line cleared to its end.
    const up = this.#linesDrawn === 0 ? '' : `\u001b[${this.#linesDrawn}A`;
    this.#stream.write(up + lines.map((text) => `\r${text}\u001b[K\n`).join(''));
    this.#linesDrawn = lines.length;
  }

  /** The whole picture, below what is there, wherever the output goes: for the end of a run. */
  print({ picture }: Drawing): void {
    const { isTTY, columns } = this.#stream;
    this.#stream.write(`\n${picture({ columns: columns ?? 80, colour: isTTY && hasColour() })}\n`);
    this.#linesDrawn = 0;
  }

  /** What is written next goes below the drawing, which stays. */
  release(): void {
    this.#linesDrawn = 0;
  }
}

/** By the convention of no-color.org. */
const hasColour = (): boolean => (process.env['NO_COLOR'] ?? '') === '';
