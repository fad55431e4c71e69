// Owns the way to the control API: the token in a header, refusals as errors, and server-sent events read from a stream, since an
// EventSource sends no headers. The token is kept for the tab alone.
import { keep, kept } from './storage.ts';
import type { Refusal } from './wire.ts';

const TOKEN_KEY = 'millrace.token';

const ofTab = (): Storage => sessionStorage;

/** What a header can carry, and a server's token consists of. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

/** The server answered, and refused. */
export class ApiError extends Error {
  readonly status: number;
  readonly refusal: Refusal | null;

  constructor(status: number, refusal: Refusal | null) {
    super(refusal?.message ?? `The server answered ${status}.`);
    this.status = status;
    this.refusal = refusal;
  }
}

export class Api {
  private readonly base: string;
  private token: string | null;

  constructor(base: string, token: string | null = null) {
    this.base = base;
    this.token = kept(ofTab, TOKEN_KEY);
    if (token !== null && isToken(token)) this.keepToken(token);
  }

  get hasToken(): boolean {
    return this.token !== null;
  }

  keepToken(token: string | null): void {
    this.token = token;
    keep(ofTab, TOKEN_KEY, token);
  }

  /** @throws ApiError, or TypeError where there is no answer. */
  async get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
    const response = await this.ask(path, { signal: signal ?? null });
    return (await response.json()) as Answer;
  }

  async text(path: string): Promise<string> {
    return (await this.ask(path, {})).text();
  }

  async post<Answer>(path: string, body?: object): Promise<Answer> {
    const response = await this.ask(path, {
      method: 'POST',
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return (await response.json()) as Answer;
  }

  /** Calls `onData` for each event until the stream ends; a comment or a field other than `data` is passed over. */
  async stream(path: string, onData: (data: string) => void, signal: AbortSignal): Promise<void> {
    const response = await this.ask(path, { signal, headers: { accept: 'text/event-stream' } });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventParser(onData);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      events.push(value);
    }
  }

  private async ask(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token !== null) headers.set('authorization', `Bearer ${this.token}`);
    const response = await fetch(new URL(path, this.base), {
      ...init,
      headers,
      cache: 'no-store',
      credentials: 'same-origin',
    });
    if (response.ok) return response;
    throw new ApiError(response.status, await refusalOf(response));
  }
}

/** The data of server-sent events, of text that comes in pieces cut anywhere. */
export class EventParser {
  private readonly onData: (data: string) => void;
  private rest = '';

  constructor(onData: (data: string) => void) {
    this.onData = onData;
  }

  push(piece: string): void {
    this.rest += piece;
    for (let end = this.rest.indexOf('\n\n'); end >= 0; end = this.rest.indexOf('\n\n')) {
      const event = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + 2);
      const lines = event.split('\n').filter((line) => line.startsWith('data:'));
      if (lines.length > 0) this.onData(lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n'));
    }
  }
}

async function refusalOf(response: Response): Promise<Refusal | null> {
  try {
    const { error } = (await response.json()) as { error?: Refusal };
    return error ?? null;
  } catch {
    return null;
  }
}
