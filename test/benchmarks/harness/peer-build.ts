// Owns building the peer: Maven compiles it into the cache once for each state of its sources.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, cp, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { cacheDirectory, findMaven } from '#libs/broker-local';

const run = promisify(execFile);
const SOURCE = join(import.meta.dirname, '../peer/kafka-streams');

/** The class path of the built peer. */
export async function buildPeer(say: (line: string) => void): Promise<string> {
  const folder = join(cacheDirectory(), 'peers', `kafka-streams-${await hashOf(SOURCE)}`);
  const built = await access(folder).then(
    () => true,
    () => false,
  );
  if (!built) {
    const maven = await findMaven();
    if (maven === undefined) throw new Error('Building the Kafka Streams peer needs Maven (mvn) in PATH.');
    say('building the Kafka Streams peer with Maven');
    const staging = `${folder}.${randomBytes(4).toString('hex')}.part`;
    await mkdir(dirname(staging), { recursive: true });
    try {
      await cp(SOURCE, staging, { recursive: true });
      const goals = ['package', 'dependency:copy-dependencies', '-DincludeScope=runtime'];
      await run(maven, ['-B', '-q', ...goals, `-DoutputDirectory=${join(staging, 'target/libs')}`], {
        cwd: staging,
        shell: process.platform === 'win32',
      });
      await rename(staging, folder);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }
  const separator = process.platform === 'win32' ? ';' : ':';
  return [join(folder, 'target/peer.jar'), join(folder, 'target/libs/*')].join(separator);
}

async function hashOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && /\.(java|xml)$/.test(entry.name));
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(path.slice(folder.length)).update(await readFile(path));
  }
  return hash.digest('hex').slice(0, 10);
}
