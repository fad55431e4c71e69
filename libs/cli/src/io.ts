// Owns what a command may touch of its process, so that specs give it others: streams, environment, signals.
import { systemClock } from '#libs/core';
import type { Clock } from '#libs/core';
import type { KafkaConnection } from '#libs/millrace';

export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

export interface CliIo {
  /** Results, and nothing else. */
  readonly stdout: OutputStream;
  /** Progress, warnings and errors. */
  readonly stderr: OutputStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Calls `interrupt` when the user wants an end; gives back what ends that. */
  readonly onInterrupt: (interrupt: () => void) => () => void;
  /** Instead of what flags and environment say, for specs. */
  readonly kafka?: KafkaConnection;
}

/** The second signal ends the process at once, as it would without us. */
export function processIo(): CliIo {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    clock: systemClock,
    onInterrupt(interrupt) {
      process.once('SIGINT', interrupt);
      process.once('SIGTERM', interrupt);
      return () => {
        process.removeListener('SIGINT', interrupt);
        process.removeListener('SIGTERM', interrupt);
      };
    },
  };
}
