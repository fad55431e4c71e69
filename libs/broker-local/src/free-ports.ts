// Owns the choice of ports that nobody listens on.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below every system's range of ephemeral ports: while a broker is down between kill and restart, no outgoing
// connection can be given its port (a client dialling a port inside that range may even connect to itself).
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;

/** `count` distinct ports of 127.0.0.1 that are free at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(PORT_MIN, PORT_MAX);
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
