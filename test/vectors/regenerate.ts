// `npm run vectors [-- topology …]`: compiles the Java program of java/, runs it on Kafka Streams' TopologyTestDriver and rewrites data/.
// `npm run vectors -- --check`: writes nothing, and fails when regenerating would change anything. Needs a JDK 17+ and Maven.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DEFAULT_KAFKA_VERSION, ensureMavenLibraries, findJava, progressLine } from '#libs/broker-local';
import { DATA } from './vectors.ts';

const SOURCES = join(import.meta.dirname, 'java');
const wanted = process.argv.slice(2).filter((argument) => argument !== '--check');
const check = process.argv.includes('--check');

const java = await findJava();
if (java === undefined || java.majorVersion < 17) {
  throw new Error('Regenerating the vectors needs a JDK, 17 or newer, in PATH or JAVA_HOME.');
}
const jars = await ensureMavenLibraries(
  'kafka-streams-test-utils',
  [
    { group: 'org.apache.kafka', artifact: 'kafka-streams-test-utils', version: DEFAULT_KAFKA_VERSION },
    { group: 'org.slf4j', artifact: 'slf4j-nop', version: '1.7.36' },
  ],
  progressLine(),
);

const work = await mkdtemp(join(tmpdir(), 'millrace-vectors-'));
try {
  const classes = join(work, 'classes');
  const results = join(work, 'data');
  await mkdir(classes);
  await mkdir(results);
  console.log('Compiling the topologies in Java');
  const sources = (await readdir(SOURCES)).filter((file) => file.endsWith('.java'));
  const libraries = (await readdir(jars)).map((jar) => join(jars, jar)).join(delimiter);
  // The compiler as a module: it is there with every JDK, whatever lies in PATH.
  await run(
    ['-m', 'jdk.compiler/com.sun.tools.javac.Main', '-Xlint:all', '-Werror', '-cp', libraries, '-d', classes],
    sources.map((file) => join(SOURCES, file)),
  );
  console.log(`Running them on Kafka Streams ${DEFAULT_KAFKA_VERSION}`);
  await run(['-Xmx1g', '-cp', [classes, libraries].join(delimiter), 'Vectors', results], wanted);
  await compareOrWrite(results);
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Runs `java`, and shows what it writes: one line in place on a terminal, every tenth line elsewhere. */
async function run(options: readonly string[], rest: readonly string[]): Promise<void> {
  const child = spawn(java!.java, [...options, ...rest], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (process.stdout.isTTY) process.stdout.write(`\r\u001b[2K${line}`);
    else if (/^\d*0\//.test(line)) console.log(line);
  }
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[2K');
  const code = await ended;
  if (code !== 0) throw new Error(`java exited with ${code ?? 'a signal'}`);
}

async function compareOrWrite(results: string): Promise<void> {
  const produced = (await readdir(results)).sort();
  const committed = (await readdir(DATA)).filter((file) => file.endsWith('.json'));
  const stale = wanted.length > 0 ? [] : committed.filter((file) => !produced.includes(file));
  const changed: string[] = [];
  for (const file of produced) {
    const text = await readFile(join(results, file), 'utf8');
    const before = committed.includes(file) ? await readFile(join(DATA, file), 'utf8') : null;
    if (text === before) continue;
    changed.push(file);
    if (!check) await writeFile(join(DATA, file), text);
  }
  if (!check) for (const file of stale) await rm(join(DATA, file));
  for (const file of changed) console.log(`${check ? 'would change' : 'changed'} data/${file}`);
  for (const file of stale) console.log(`${check ? 'would remove' : 'removed'} data/${file}`);
  console.log(`${produced.length} topologies, ${changed.length + stale.length} files differ from before`);
  if (check && changed.length + stale.length > 0) process.exitCode = 1;
}
