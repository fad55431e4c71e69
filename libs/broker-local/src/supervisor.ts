// A process of its own between the one that wants a broker and the broker's JVM. Owns one promise: when its parent is
// gone, however it went, the JVM is killed and the temporary files are removed. The parent's end shows as the end of
// the pipe on stdin. It imports nothing but Node, so that any road of starting Node runs it.
//
//   stdin   {"do":"start","command":…,"args":[…],"log":…} | {"do":"signal","signal":…} | {"do":"finish"}, a line each
//   stdout  {"pid":…} | {"exit":…,"signal":…} | {"error":…}, a line each
//   argv    the folder to remove at the end, if any
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { openSync, closeSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

interface Order {
  do: 'start' | 'signal' | 'finish';
  command: string;
  args: string[];
  log: string;
  signal: NodeJS.Signals;
}

const temporary = process.argv[2];
let running: ChildProcess | undefined;
let finishing = false;

function report(event: object): void {
  if (!finishing) process.stdout.write(`${JSON.stringify(event)}\n`);
}

function start({ command, args, log }: Order): void {
  const output = openSync(log, 'a');
  const child = spawn(command, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  running = child;
  child.on('error', (error) => {
    // It never ran, so no exit will follow.
    if (child.pid === undefined) running = undefined;
    report({ error: error.message });
  });
  child.on('spawn', () => report({ pid: child.pid }));
  child.on('exit', (exit, signal) => {
    running = undefined;
    if (finishing) finish();
    else report({ exit, signal });
  });
}

function finish(): void {
  finishing = true;
  if (running !== undefined) {
    running.kill('SIGKILL');
    return; // its exit comes back here
  }
  if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true, maxRetries: 10 });
  process.exit(0);
}

const orders = createInterface({ input: process.stdin });
orders.on('line', (line) => {
  const order = JSON.parse(line) as Order;
  if (order.do === 'start') start(order);
  else if (order.do === 'signal') running?.kill(order.signal);
  else finish();
});
orders.on('close', finish);
process.stdout.on('error', finish);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, finish);
