// Owns how failures read beside their code. Pure.

/** The message begins with the code, which stands beside it. */
export function withoutCode({ code, message }: { readonly code: string; readonly message: string }): string {
  return message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
}
