// Owns what the page knows and how it stays known: the list of applications, the stream of snapshots of the chosen one, its history, and
// what becomes of them when the server goes away. It draws nothing; who draws is told of every change.
//
//   connecting ──► open ──► lost ──► connecting       each failed try waits longer, to ten seconds
//        └──► login (401) ──► connecting
import type { Api } from './api.ts';
import { ApiError, isToken } from './api.ts';
import { later, wallClock } from './browser-time.ts';
import { mergeEpochs, mergeSamples } from './merge.ts';
import type {
  ApplicationList,
  DescribedTopology,
  EpochFigures,
  HistoryAnswer,
  HistorySample,
  Snapshot,
  Summary,
} from './wire.ts';

export type Phase = 'connecting' | 'login' | 'open' | 'lost';

export interface Picture {
  readonly phase: Phase;
  /** Why the last try failed; `null`: it did not. */
  readonly fault: string | null;
  readonly applications: readonly Summary[];
  readonly actionsAllowed: boolean;
  readonly version: string;
  readonly selected: string | null;
  /** Of the selected application, as all below. */
  readonly snapshot: Snapshot | null;
  readonly topology: DescribedTopology | null;
  readonly topologyFault: string | null;
  readonly configuration: Readonly<Record<string, unknown>> | null;
  readonly history: readonly HistorySample[];
  readonly epochs: readonly EpochFigures[];
  /** Tasks' records of up to ten seconds ago, for their rates. */
  readonly past: readonly Snapshot[];
  /** Wall clock of this machine; since when there is no connection. */
  readonly lostSince: number | null;
}

const NOTHING_OF_APPLICATION = {
  snapshot: null,
  topology: null,
  topologyFault: null,
  configuration: null,
  history: [],
  epochs: [],
  past: [],
} as const;

const SNAPSHOT_MS = 1_000;
const PAST_KEPT = 10;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;
/** Without a word for so long the connection counts as gone: snapshots come every second. */
const SILENCE_MS_MAX = 8_000;
/** A page that nobody sees does not need its stream. */
const HIDDEN_MS_MAX = 60_000;

export class Session {
  readonly api: Api;
  private current: Picture = {
    phase: 'connecting',
    fault: null,
    applications: [],
    actionsAllowed: false,
    version: '',
    selected: null,
    lostSince: null,
    ...NOTHING_OF_APPLICATION,
  };
  private readonly listeners = new Set<() => void>();
  private wanted: string | null = null;
  private stream: AbortController | null = null;
  private retryMs = RETRY_MS_MIN;
  private cancelRetry: () => void = () => undefined;
  private cancelSilence: () => void = () => undefined;
  private cancelHidden: () => void = () => undefined;
  private cancelHistory: () => void = () => undefined;

  constructor(api: Api) {
    this.api = api;
    document.addEventListener('visibilitychange', () => this.onVisibility());
  }

  get picture(): Picture {
    return this.current;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Also where it is open already: begins anew. `application` `null`: the first. */
  open(application: string | null): void {
    this.wanted = application;
    this.cancelRetry();
    this.disconnect();
    this.start();
  }

  login(token: string): void {
    if (!isToken(token)) {
      this.change({ phase: 'login', fault: 'A token has no spaces and none but plain characters.' });
      return;
    }
    this.api.keepToken(token);
    this.open(this.wanted);
  }

  logout(): void {
    this.api.keepToken(null);
    this.disconnect();
    this.change({ phase: 'login', fault: null, selected: null, applications: [], ...NOTHING_OF_APPLICATION });
  }

  private change(part: Partial<Picture>): void {
    this.current = { ...this.current, ...part };
    for (const listener of this.listeners) listener();
  }

  private disconnect(): void {
    this.stream?.abort();
    this.stream = null;
    this.cancelSilence();
    this.cancelHistory();
  }

  /** `connect` tells of what it fails with by itself. */
  private start(): void {
    this.connect().catch((error: unknown) => this.fail(error));
  }

  private async connect(): Promise<void> {
    const stream = new AbortController();
    this.stream = stream;
    const isOld = (): boolean => this.stream !== stream;
    if (this.current.phase !== 'lost') this.change({ phase: 'connecting' });
    try {
      // A server that hangs is as good as none.
      this.expectWord(stream);
      const { applications, actionsAllowed, version } = await this.api.get<ApplicationList>(
        'v1/applications',
        stream.signal,
      );
      if (isOld()) return;
      const selected =
        applications.find(({ applicationId }) => applicationId === this.wanted)?.applicationId ??
        applications[0]?.applicationId ??
        null;
      const isAnother = selected !== this.current.selected;
      this.change({
        applications,
        actionsAllowed,
        version,
        selected,
        fault: null,
        ...(isAnother ? NOTHING_OF_APPLICATION : {}),
      });
      if (selected === null) {
        this.lose('The server has no applications.');
        return;
      }
      const path = `v1/applications/${encodeURIComponent(selected)}`;
      await this.loadOnce(path, stream);
      if (isOld()) return;
      this.pollHistory(path, stream);
      await this.api.stream(
        `${path}/events?intervalMs=${SNAPSHOT_MS}`,
        (data) => {
          if (!isOld()) this.take(JSON.parse(data) as Snapshot, stream);
        },
        stream.signal,
      );
      if (!isOld()) this.lose('The server closed the connection.');
    } catch (error) {
      if (!isOld()) this.fail(error);
    }
  }

  /** What changes seldom, or is long: asked for once per connection. */
  private async loadOnce(path: string, { signal }: AbortController): Promise<void> {
    const [topology, configuration, epochs] = await Promise.all([
      this.api.get<{ graph: DescribedTopology }>(`${path}/topology`, signal).catch((error: unknown) => {
        // An application whose topology cannot be built is shown with its error.
        if (error instanceof ApiError && error.status >= 500) return error;
        throw error;
      }),
      this.api.get<{ configuration: Record<string, unknown> }>(`${path}/configuration`, signal),
      this.api.get<{ epochs: EpochFigures[] }>(`${path}/epochs`, signal),
    ]);
    const hasTopology = !(topology instanceof ApiError);
    this.change({
      topology: hasTopology ? topology.graph : null,
      topologyFault: hasTopology ? null : topology.message,
      configuration: configuration.configuration,
      epochs: mergeEpochs(this.current.epochs, epochs.epochs),
    });
  }

  private take(snapshot: Snapshot, stream: AbortController): void {
    this.expectWord(stream);
    this.retryMs = RETRY_MS_MIN;
    const { applicationId, instanceId, state, stateSince, paused, error } = snapshot;
    const summary: Summary = { applicationId, instanceId, state, stateSince, paused, error };
    this.change({
      phase: 'open',
      fault: null,
      lostSince: null,
      snapshot,
      past: [...this.current.past.filter(({ at }) => at < snapshot.at), snapshot].slice(-PAST_KEPT),
      epochs: mergeEpochs(this.current.epochs, snapshot.epochs),
      applications: this.current.applications.map((known) =>
        known.applicationId === applicationId ? summary : known,
      ),
    });
  }

  private pollHistory(path: string, stream: AbortController): void {
    const after = this.current.history.at(-1)?.at ?? 0;
    this.api.get<HistoryAnswer>(`${path}/history?after=${after}`, stream.signal).then(
      ({ samples, intervalMs }) => {
        if (this.stream !== stream) return;
        if (samples.length > 0) this.change({ history: mergeSamples(this.current.history, samples) });
        this.cancelHistory = later(intervalMs, () => this.pollHistory(path, stream));
      },
      // The stream of snapshots finds out what is wrong; the charts go on with it.
      () => {
        if (this.stream === stream)
          this.cancelHistory = later(RETRY_MS_MAX, () => this.pollHistory(path, stream));
      },
    );
  }

  private expectWord(stream: AbortController): void {
    this.cancelSilence();
    this.cancelSilence = later(SILENCE_MS_MAX, () => {
      if (this.stream === stream) this.lose('The server does not answer.');
    });
  }

  private fail(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) {
      this.disconnect();
      const fault = this.api.hasToken ? 'The server does not know this token.' : null;
      this.api.keepToken(null);
      this.change({ phase: 'login', fault });
      return;
    }
    // A browser says no more than that there was no answer.
    this.lose(error instanceof ApiError ? error.message : 'The server cannot be reached.');
  }

  private lose(fault: string): void {
    this.disconnect();
    this.change({ phase: 'lost', fault, lostSince: this.current.lostSince ?? wallClock() });
    this.cancelRetry();
    this.cancelRetry = later(this.retryMs, () => this.start());
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX);
  }

  private onVisibility(): void {
    this.cancelHidden();
    if (document.hidden) {
      this.cancelHidden = later(HIDDEN_MS_MAX, () => {
        if (this.current.phase === 'open') this.disconnect();
      });
    } else if (this.current.phase === 'lost' || (this.current.phase === 'open' && this.stream === null)) {
      this.retryMs = RETRY_MS_MIN;
      this.open(this.wanted);
    }
  }
}
