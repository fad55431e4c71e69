// Owns how a long step shows on a terminal when the caller does not draw it: one line, rewritten in place on a TTY.
import type { LocalBrokerProgress } from './local-broker.ts';

/** Writes `progress` to `stream`; off a terminal only where a step begins and ends. */
export function progressLine(
  stream: NodeJS.WriteStream = process.stderr,
): (progress: LocalBrokerProgress) => void {
  let lastStep: string | undefined;
  return ({ step, message, done, finished }) => {
    const text = done === undefined ? message : `${message} (${done})`;
    if (stream.isTTY) {
      stream.write(`\r\u001b[2K${text}${finished ? '\n' : ''}`);
    } else if (step !== lastStep || finished) {
      stream.write(`${text}\n`);
    }
    lastStep = finished ? undefined : step;
  };
}
