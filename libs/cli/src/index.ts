// libs/cli: the command `millrace`. It prints, asks for nothing, and wires what libs/millrace can do from outside of an application.
export { runCli } from './run.ts';
export type { CliIo } from './io.ts';
