// Owns reading what a process has used so far, from Linux's /proc: from outside, so both sides are read alike.
import { readFile } from 'node:fs/promises';

export interface ProcessUsage {
  /** User and system time of all its threads since it was started, seconds. Undefined where there is no /proc. */
  readonly cpuSeconds: number | undefined;
  /** The most memory it has had resident, bytes. */
  readonly peakRssBytes: number | undefined;
}

// Ticks a second of /proc/<pid>/stat: USER_HZ is 100 on every architecture Linux runs on today.
const TICKS_PER_SECOND = 100;

export async function processUsage(pid: number): Promise<ProcessUsage> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field, the command in brackets, may contain spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const peakKilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      peakRssBytes: peakKilobytes === undefined ? undefined : Number(peakKilobytes) * 1024,
    };
  } catch {
    return { cpuSeconds: undefined, peakRssBytes: undefined };
  }
}
