// Owns what a run happens on: a broker that may be killed, the proxy in front of it, the Java peer beside it, and the processes of the
// application. It starts, stops and says what became of each; which fault comes when is not its business.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startLocalBroker } from '#libs/broker-local';
import type { LocalBroker } from '#libs/broker-local';
import { startFaultProxy } from '../support/proxy.ts';
import type { FaultProxy, FaultRule } from '../support/proxy.ts';
import { Peer } from './peer.ts';
import { ServiceProcess } from './service-process.ts';
import type { ServiceOptions, ServiceReport } from './service.ts';
import { APPLICATION_ID, GROUP_TIMES, PARTITIONS, TOPICS } from './vocabulary.ts';

export interface ClusterSettings {
  /** Everything of the run lies in here. */
  readonly folder: string;
  readonly sabotage: string | null;
  readonly application: Omit<ServiceOptions['application'], 'applicationId'>;
}

/** A process that ended though nobody had asked it to. */
export interface UnaskedEnd {
  readonly process: string;
  readonly end: number | string;
  readonly report: ServiceReport;
}

/** WriteTxnMarkers: the broker's request to itself, which has no name in the proxy's list. */
const WRITE_TXN_MARKERS = 27;

export class Cluster {
  readonly broker: LocalBroker;
  readonly proxy: FaultProxy;
  readonly peer: Peer;
  readonly unaskedEnds: UnaskedEnd[] = [];
  /** By name, those that should run. One that is down for a moment is not in it. */
  readonly processes = new Map<string, ServiceProcess>();
  /** All that were ever started. */
  readonly names = new Set<string>();
  readonly #settings: ClusterSettings;

  private constructor(settings: ClusterSettings, broker: LocalBroker, proxy: FaultProxy, peer: Peer) {
    this.#settings = settings;
    this.broker = broker;
    this.proxy = proxy;
    this.peer = peer;
  }

  static async start(settings: ClusterSettings): Promise<Cluster> {
    mkdirSync(settings.folder, { recursive: true });
    const broker = await startLocalBroker({
      roads: ['local'],
      properties: {
        // Its markers go through the proxy too.
        'inter.broker.listener.name': 'PROXY',
        // A transaction whose time is over is ended within a second or so, not ten.
        'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1_000,
        // Changelogs are judged record by record.
        'log.cleaner.enable': false,
        // Timestamps of the input lie years back.
        'log.retention.ms': -1,
        'group.coordinator.append.linger.ms': 0,
        // Under KIP-1071 the broker says what processes say themselves in a classic group.
        'group.streams.session.timeout.ms': GROUP_TIMES.sessionTimeoutMs,
        'group.streams.heartbeat.interval.ms': GROUP_TIMES.heartbeatIntervalMs,
      },
    });
    let proxy: FaultProxy | undefined;
    try {
      proxy = await startFaultProxy(broker);
      const peer = await Peer.start(broker, 'upstream', join(settings.folder, 'upstream.log'));
      for (const topic of Object.values(TOPICS)) {
        await peer.createTopic(topic, PARTITIONS, { 'retention.ms': '-1' });
      }
      return new Cluster(settings, broker, proxy, peer);
    } catch (error) {
      await proxy?.close();
      await broker.stop();
      throw error;
    }
  }

  stateDir(name: string): string {
    return join(this.#settings.folder, name);
  }

  /** Where the databases of a process's tasks lie. */
  stateRoot(name: string): string {
    return join(this.stateDir(name), APPLICATION_ID, `named-${instanceOf(name)}`);
  }

  logFile(name: string): string {
    return join(this.#settings.folder, `${name}.log`);
  }

  /** `name` may have a suffix behind `+`: another process under the instance id before it. */
  startProcess(name: string): ServiceProcess {
    this.names.add(name);
    const process = new ServiceProcess({
      options: {
        instanceId: instanceOf(name),
        brokers: [this.proxy.address],
        stateDir: this.stateDir(name),
        application: { applicationId: APPLICATION_ID, ...this.#settings.application },
      },
      logFile: this.logFile(name),
      sabotage: this.#settings.sabotage,
    });
    this.processes.set(name, process);
    void process.ended.then((end) => {
      if (!process.asked) this.unaskedEnds.push({ process: name, end, report: process.report });
    });
    return process;
  }

  deleteState(name: string): void {
    if (existsSync(this.stateDir(name))) rmSync(this.stateDir(name), { recursive: true, force: true });
  }

  /** Starts those again that are not there, or have ended. */
  restartMissing(names: readonly string[]): string[] {
    const started: string[] = [];
    for (const name of names) {
      const process = this.processes.get(name);
      if (process !== undefined && process.over === null) continue;
      this.startProcess(name);
      started.push(name);
    }
    return started;
  }

  /** A rule for the frames of one process, or of all; never for those of the broker itself. */
  ofProcess(name: string | null): Required<Pick<FaultRule, 'when'>> {
    const client = name === null ? /^(p|extra)\d/ : new RegExp(`^${instanceOf(name)}(\\D|$)`);
    return { when: ({ clientId }) => clientId !== null && client.test(clientId) };
  }

  readonly ofMarkers: Required<Pick<FaultRule, 'when'>> = {
    when: ({ apiKey }) => apiKey === WRITE_TXN_MARKERS,
  };

  async close(): Promise<void> {
    for (const process of this.processes.values()) if (process.over === null) await process.kill();
    await this.peer.close();
    await this.proxy.close();
    await this.broker.stop();
  }
}

function instanceOf(name: string): string {
  return name.split('+')[0]!;
}
