// Owns finding a JDK and Maven on this machine. It installs nothing.
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
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
  if (java === undefined) return undefined;
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
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return undefined;
}
