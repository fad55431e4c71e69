// Owns how failures read beside their code. Pure.

export interface Told {
  readonly text: string;
  /** What to do; `null`: the message does not say. */
  readonly remedy: string | null;
}

/** A message begins with the code, which stands beside it, and ends with what to do. */
export function toldOf({ code, message }: { readonly code: string; readonly message: string }): Told {
  const text = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
  const at = text.indexOf(' Remedy: ');
  if (at < 0) return { text, remedy: null };
  return { text: text.slice(0, at), remedy: text.slice(at + ' Remedy: '.length) };
}
