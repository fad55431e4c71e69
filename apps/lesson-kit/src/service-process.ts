// Owns a service that runs as a process of its own, as it would be deployed: told by variables what it needs, killed and started again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface ServiceProcess {
  readonly pid: number;
  /** Where it answers, such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** Of its control server, if it opens one. */
  readonly dashboard: string | null;
  /** Resolves to the exit code, or to the signal that it died from. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

const OUTPUT_SHOWN_MAX = 4_000;

/**
 * Starts a built file on this Node.js. Resolves when it has written `RUNNING at <url>`, and `dashboard at <url>` before, if it has one. What
 * it writes besides is not shown, but for errors.
 * @throws Error when it ends before, with what it wrote last.
 */
export async function startServiceProcess(
  main: string,
  environment: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', '--disable-warning=TimeoutNegativeWarning', main],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...inherited(), NO_COLOR: '1', ...environment },
    },
  );
  const ended = once(child, 'close').then(
    ([code, signal]) => (code as number | null) ?? (signal as NodeJS.Signals),
  );
  // Whoever is interested awaits it.
  ended.catch(() => undefined);
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_SHOWN_MAX);
      const found = /^RUNNING at (\S+)$/m.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    ended.then((end) => reject(new Error(`The service ended with ${end} before it ran:\n${output}`)), reject);
  });
  return {
    pid: child.pid!,
    url,
    dashboard: /^dashboard at (\S+)$/m.exec(output)?.[1] ?? null,
    ended,
    async end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

/** What is set for Millrace around the lesson is not meant for the service: it is told what it needs. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_')));
}
