// Owns what a broken promise of a seed is.

/** Something that must never be, and was. */
export class Violation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Violation';
  }
}
