// Owns the meeting point of the worker's loop with everything that happens beside it: others post, the loop runs what was
// posted between two turns, so that no rebalance or stop ever sees a record half processed.

interface Control {
  readonly run: () => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class ControlQueue {
  private readonly waiting: Control[] = [];
  private closed: Error | null = null;
  private readonly onPost: () => void;

  constructor(onPost: () => void) {
    this.onPost = onPost;
  }

  /** Runs `action` in the loop, between turns; resolves with what it resolves to. */
  post<T>(action: () => Promise<T>): Promise<T> {
    if (this.closed !== null) return Promise.reject(this.closed);
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ run: action, resolve: resolve as (value: unknown) => void, reject });
      this.onPost();
    });
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** Called by the loop. A failure goes to who posted, and to the loop too. */
  async runAll(): Promise<void> {
    for (let control = this.waiting.shift(); control !== undefined; control = this.waiting.shift()) {
      try {
        control.resolve(await control.run());
      } catch (error) {
        control.reject(error);
        throw error;
      }
    }
  }

  /** Rejects what waits and whatever comes later. */
  close(reason: Error): void {
    this.closed = reason;
    for (const control of this.waiting.splice(0)) control.reject(reason);
  }
}
