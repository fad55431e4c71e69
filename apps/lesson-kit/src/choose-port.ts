// Owns which port of this machine a lesson listens on, so that a second copy of it starts without a word.
import { createServer } from 'node:net';
import { freePorts } from '#libs/broker-local';

/** `given` as it is: if it is taken, who listens says so. Else `preferred`, or any that is free. */
export async function choosePort(given: number | null, preferred: number): Promise<number> {
  if (given !== null && given !== 0) return given;
  if (given === null && (await isFree(preferred))) return preferred;
  const [port] = await freePorts(1);
  return port!;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
