// Owns the reading of arguments: numbers, choices, lists. What is wrong is told by commander, with the flag's name.
import { InvalidArgumentError, Option } from 'commander';

export function wholeNumber(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^-?\d{1,15}$/.test(text.trim()) || value < least)
      throw new InvalidArgumentError(
        least === -Number.MAX_SAFE_INTEGER
          ? 'Give a whole number.'
          : `Give a whole number of at least ${least}.`,
      );
    return value;
  };
}

/** May be repeated, and hold several with commas between. */
export function list(text: string, before: readonly string[] = []): readonly string[] {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw new InvalidArgumentError('Give at least one.');
  return [...before, ...parts];
}

export function numbers(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, ...list(text).map(wholeNumber(0))];
}

/** May be repeated; commas belong to it. */
export function repeated(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

export function choice(
  flags: string,
  description: string,
  choices: readonly string[],
  fallback?: string,
): Option {
  const option = new Option(flags, description).choices(choices);
  return fallback === undefined ? option : option.default(fallback);
}
