// Owns finding a JDK and Maven on this machine. It installs nothing.
import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The oldest Java that Apache Kafka 4 brokers run on. */
export const JAVA_VERSION_MIN = 17;

const WINDOWS = process.platform === 'win32';

export interface JavaHome {
  /** Path of the `java` command. */
  readonly java: string;
  readonly majorVersion: number;
}

let found: Promise<JavaHome | undefined> | undefined;

/** The `java` of JAVA_HOME, else of PATH; undefined where there is none. Asked once a process. */
export function findJava(): Promise<JavaHome | undefined> {
  found ??= probeJava();
  return found;
}

/**
 * A `java` that is at least `majorVersion`: that of JAVA_HOME or PATH, else of JAVA_HOME_<version>_X64 and its like, else the newest that
 * lies where JDKs are installed on this system.
 */
export async function findJavaOf(majorVersion: number): Promise<JavaHome | undefined> {
  const usual = await findJava();
  if (usual !== undefined && usual.majorVersion >= majorVersion) return usual;
  newer ??= otherHomes().then((homes) =>
    Promise.all(
      homes.map(async (home) => {
        const java = join(home, 'bin', WINDOWS ? 'java.exe' : 'java');
        return (await isExecutable(java)) ? probe(java) : undefined;
      }),
    ),
  );
  let newest: JavaHome | undefined;
  for (const found of await newer) {
    if (found === undefined || found.majorVersion < majorVersion) continue;
    if (newest === undefined || found.majorVersion > newest.majorVersion) newest = found;
  }
  return newest;
}

let newer: Promise<(JavaHome | undefined)[]> | undefined;

async function otherHomes(): Promise<string[]> {
  const homes: string[] = [];
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(JAVA_HOME_\d+|JDK_?\d+)/.test(name) && value !== undefined && value !== '') homes.push(value);
  }
  for (const [folder, inside] of JDK_FOLDERS) {
    const names = await readdir(folder).catch(() => []);
    for (const name of names) homes.push(join(folder, name, inside));
  }
  return homes;
}

/** Folders that hold a JDK in each of their folders, and where in it. */
const JDK_FOLDERS: readonly (readonly [folder: string, inside: string])[] = WINDOWS
  ? ['Java', 'Eclipse Adoptium', 'Microsoft', 'Zulu'].map((name) => [join('C:\\Program Files', name), ''])
  : [
      ['/usr/lib/jvm', ''],
      ['/opt/java', ''],
      ['/Library/Java/JavaVirtualMachines', 'Contents/Home'],
      [join(homedir(), '.sdkman/candidates/java'), ''],
      [join(homedir(), '.jdks'), ''],
    ];

/** The `mvn` of MAVEN_HOME, else of PATH; undefined where there is none. */
export function findMaven(): Promise<string | undefined> {
  return findCommand(WINDOWS ? 'mvn.cmd' : 'mvn', process.env['MAVEN_HOME']);
}

/** A tool that lies beside `java`, such as keytool. */
export function findJdkTool(name: string): Promise<string | undefined> {
  return findCommand(WINDOWS ? `${name}.exe` : name, process.env['JAVA_HOME']);
}

async function probeJava(): Promise<JavaHome | undefined> {
  const java = await findCommand(WINDOWS ? 'java.exe' : 'java', process.env['JAVA_HOME']);
  return java === undefined ? undefined : probe(java);
}

/** `undefined` where nothing runs under this path. */
async function probe(java: string): Promise<JavaHome | undefined> {
  const text = await new Promise<string>((resolve) => {
    execFile(java, ['-XshowSettings:properties', '-version'], { timeout: 20_000 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  const version = /java\.specification\.version = (?:1\.)?(\d+)/.exec(text)?.[1];
  return version === undefined ? undefined : { java, majorVersion: Number(version) };
}

async function findCommand(name: string, home: string | undefined): Promise<string | undefined> {
  const folders = home === undefined || home === '' ? [] : [join(home, 'bin')];
  folders.push(...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''));
  for (const folder of folders) {
    const candidate = join(folder, name);
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
