// Owns what stands in the place of a `StreamsApplication` in a test: the same topologies, run by a `TopologyTestDriver` in virtual time and
// without a broker. It is started and stopped by the module's lifecycle like the real one.
import { MillraceError } from '#libs/millrace';
import type { ApplicationSnapshot, LifecycleState, StreamsApplication, StreamsBuilder } from '#libs/millrace';
import { TopologyTestDriver } from '#libs/testing';
import type { TopologyTestDriverOptions } from '#libs/testing';
import { DriverStore } from './driver-store.ts';

/** What of a `StreamsApplication` it offers. */
type Offered = Pick<
  StreamsApplication,
  | 'applicationId'
  | 'state'
  | 'error'
  | 'instanceId'
  | 'snapshot'
  | 'describe'
  | 'start'
  | 'stop'
  | 'whenEnded'
  | 'whenRunning'
  | 'onStateChange'
>;

type Listener = Parameters<StreamsApplication['onStateChange']>[0];

export class DriverApplication implements Offered {
  readonly applicationId: string;
  private readonly draw: () => StreamsBuilder;
  private readonly options: TopologyTestDriverOptions;
  private readonly listeners = new Set<Listener>();
  private readonly ended = Promise.withResolvers<undefined>();
  private readonly running = Promise.withResolvers<undefined>();
  private started: TopologyTestDriver | null = null;
  private failure: MillraceError | null = null;
  private lifecycle: LifecycleState = 'CREATED';

  constructor(draw: () => StreamsBuilder, options: TopologyTestDriverOptions) {
    this.applicationId = options.applicationId ?? 'test';
    this.draw = draw;
    this.options = options;
    // Who does not ask is not told.
    for (const { promise } of [this.ended, this.running]) promise.catch(() => undefined);
  }

  get state(): LifecycleState {
    return this.lifecycle;
  }

  get error(): MillraceError | null {
    return this.failure;
  }

  get instanceId(): string | null {
    return this.started === null ? null : 'instance-0';
  }

  /** @throws MillraceError MILLRACE_ILLEGAL_STATE the module was not initialised. */
  get driver(): TopologyTestDriver {
    if (this.started !== null) return this.started;
    throw new MillraceError({
      code: 'MILLRACE_ILLEGAL_STATE',
      message: `The test driver of the application "${this.applicationId}" is not running: the application is ${this.lifecycle}.`,
      remedy: 'Await module.init(), or createNestApplication().init(), and ask before it is closed.',
    });
  }

  snapshot(): ApplicationSnapshot {
    const { failure } = this;
    return {
      applicationId: this.applicationId,
      instanceId: this.instanceId,
      state: this.lifecycle,
      error: failure === null ? null : { code: failure.code, message: failure.message },
      figures: null,
    };
  }

  /** The driver has processed everything when it resolves: it is behind by nothing. */
  insight(): { readonly tasks: readonly never[] } {
    return { tasks: [] };
  }

  readonly figures = null;

  describe(): string {
    return this.draw().build().describe();
  }

  /** A store's committed state, over all tasks. It may be asked for before the driver runs. */
  store(name: string): DriverStore {
    return new DriverStore(name, () => this.driver.store(name));
  }

  windowStore(name: string): DriverStore {
    return this.store(name);
  }

  sessionStore(name: string): DriverStore {
    return this.store(name);
  }

  versionedStore(name: string): DriverStore {
    return this.store(name);
  }

  async start(): Promise<void> {
    this.to('REBALANCING');
    try {
      this.started = await TopologyTestDriver.start(this.draw(), this.options);
    } catch (error) {
      if (error instanceof MillraceError) this.failure = error;
      this.to('PENDING_ERROR');
      this.to('ERROR');
      this.running.reject(error);
      this.ended.reject(error);
      throw error;
    }
    this.to('RUNNING');
    this.running.resolve(undefined);
  }

  async stop(): Promise<void> {
    if (this.lifecycle === 'NOT_RUNNING' || this.lifecycle === 'ERROR') return;
    this.to('PENDING_SHUTDOWN');
    const { started } = this;
    this.started = null;
    await started?.close();
    this.to('NOT_RUNNING');
    this.ended.resolve(undefined);
  }

  async whenEnded(): Promise<void> {
    await this.ended.promise;
  }

  async whenRunning(): Promise<void> {
    await this.running.promise;
  }

  onStateChange(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private to(state: LifecycleState): void {
    const before = this.lifecycle;
    this.lifecycle = state;
    for (const listener of this.listeners) listener(state, before);
  }
}
