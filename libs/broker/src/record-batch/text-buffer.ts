// Owns the type of three methods that every Node Buffer has and its documentation leaves out: `write` and `toString` are
// wrappers around them. Called directly they save 7 of 30 ns a record; a spec holds that they exist.

export type TextBuffer = Buffer & {
  /** Writes text as UTF-8, at most `length` bytes and no half characters; returns the bytes written. */
  utf8Write(text: string, offset: number, length: number): number;
  /** Writes the low byte of every unit; returns the bytes written. */
  latin1Write(text: string, offset: number, length: number): number;
};
