// Owns the processes that specs start to kill: their output as lines, waiting for one, and their end.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface RunningProcess {
  readonly child: ChildProcess;
  /** All of stdout and stderr so far. */
  output(): string;
  /** Resolves when the output matches. @throws Error when the process ends before, with what it wrote. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends the signal and waits for the end. Resolves to the exit code, or the signal it died from. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
  /** Waits for the end. */
  ended(): Promise<number | NodeJS.Signals>;
}

/** Stops a process, and resolves once all its threads stand still: on a busy machine some go on for a while, and answer. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  while (threadStates(pid).some((state) => state !== 'T')) await pause(5);
}

/** As Linux names them; none where it cannot be known. */
function threadStates(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
      return stat.charAt(stat.lastIndexOf(')') + 2);
    });
  } catch {
    return [];
  }
}

/** Runs a Node script on the Node that runs the specs, without Jest's own options. `cwd`: the folder it runs in, by default ours. */
export function startNode(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  cwd: string = process.cwd(),
): RunningProcess {
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...environment },
  });
  let output = '';
  const append = (text: string): void => {
    output += text;
    child.emit('millrace-output');
  };
  child.stdout.setEncoding('utf8').on('data', append);
  child.stderr.setEncoding('utf8').on('data', append);
  const exit = once(child, 'close').then(
    ([code, signal]) => (code as number | null) ?? (signal as NodeJS.Signals),
  );
  let over = false;
  exit.then(
    () => {
      over = true;
      child.emit('millrace-output');
    },
    () => undefined,
  );
  return {
    child,
    output: () => output,
    async until(pattern) {
      for (;;) {
        const match = pattern.exec(output);
        if (match !== null) return match;
        if (over) throw new Error(`the process ended without ${String(pattern)}:\n${output}`);
        await once(child, 'millrace-output');
      }
    },
    async end(signal) {
      child.kill(signal);
      return exit;
    },
    ended: () => exit,
  };
}
