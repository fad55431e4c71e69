// Owns running one of the peer project's main classes to its end: the backlog's producer and the output's check.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface JavaEvent {
  readonly event: string;
  readonly records?: number;
  readonly [field: string]: unknown;
}

/** The last event the class printed. @throws Error when it ends with another code than 0. */
export async function runJavaMain(
  java: string,
  classpath: string,
  mainClass: string,
  args: readonly string[],
  onEvent: (event: JavaEvent) => void = () => undefined,
): Promise<JavaEvent> {
  const child = spawn(
    java,
    [
      '-Xmx3g',
      '-XX:+UseParallelGC',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      '-cp',
      classpath,
      mainClass,
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let last: JavaEvent | undefined;
  let stderr = '';
  createInterface({ input: child.stdout }).on('line', (line) => {
    last = JSON.parse(line) as JavaEvent;
    onEvent(last);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0 || last === undefined) {
    throw new Error(
      `${mainClass} ended with ${code ?? 'a signal'}: ${JSON.stringify(last ?? null)}\n${stderr}`,
    );
  }
  return last;
}
