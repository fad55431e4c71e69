// Owns records and bytes per second of each flow, from totals that are looked at every other second. Nothing is counted here.
import type { Clock, Timer } from '#libs/core';
import type { InputFlow, OutputFlow } from '#libs/millrace';
import { SAMPLE_MS } from './history.ts';
import type { History } from './history.ts';
import type { ControlledApplication } from './options.ts';

export interface Rate {
  /** Over the last seconds; `null`: not known yet. */
  readonly recordsPerSecond: number | null;
  readonly bytesPerSecond: number | null;
}

export interface RatedFlows {
  readonly inputs: readonly (InputFlow & Rate)[];
  readonly outputs: readonly (OutputFlow & Rate)[];
}

interface Flows {
  readonly inputs: readonly InputFlow[];
  readonly outputs: readonly OutputFlow[];
}

interface Sample {
  /** Monotonic. */
  readonly at: number;
  readonly totals: ReadonlyMap<string, { readonly records: number; readonly bytes: number }>;
}

/** Rates are those of the last ten seconds. */
const SAMPLES_MAX = 5;

export class RateMeter {
  private readonly clock: Clock;
  private readonly application: Pick<ControlledApplication, 'insight'>;
  private readonly samples: Sample[] = [];
  private readonly history: History;
  private timer: Timer | null = null;

  constructor(application: Pick<ControlledApplication, 'insight'>, clock: Clock, history: History) {
    this.application = application;
    this.clock = clock;
    this.history = history;
  }

  start(): void {
    const insight = this.application.insight();
    this.sample(insight);
    this.history.note(insight);
    this.timer = this.clock.schedule(SAMPLE_MS, () => this.start(), true);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  rated(flows: Flows): RatedFlows {
    const now = this.clock.monotonic();
    // One that is as good as now says nothing.
    const since = this.samples.find(({ at }) => now - at >= SAMPLE_MS / 4);
    const seconds = since === undefined ? 0 : (now - since.at) / 1_000;
    const rate = (key: string, { records, bytes }: { records: number; bytes: number }): Rate => {
      if (since === undefined) return { recordsPerSecond: null, bytesPerSecond: null };
      const before = since.totals.get(key) ?? { records: 0, bytes: 0 };
      return {
        recordsPerSecond: perSecond(records - before.records, seconds),
        bytesPerSecond: perSecond(bytes - before.bytes, seconds),
      };
    };
    return {
      inputs: flows.inputs.map((flow) => ({ ...flow, ...rate(inputKey(flow), flow) })),
      outputs: flows.outputs.map((flow) => ({ ...flow, ...rate(flow.topic, flow) })),
    };
  }

  private sample({ inputs, outputs }: Flows): void {
    const totals = new Map<string, { records: number; bytes: number }>();
    for (const flow of inputs) totals.set(inputKey(flow), flow);
    for (const flow of outputs) totals.set(flow.topic, flow);
    this.samples.push({ at: this.clock.monotonic(), totals });
    if (this.samples.length > SAMPLES_MAX) this.samples.shift();
  }
}

function inputKey({ subTopology, source, topic }: InputFlow): string {
  return `${subTopology} ${source} ${topic}`;
}

/** An application that was made anew counts from nothing. */
function perSecond(delta: number, seconds: number): number {
  return Math.round((Math.max(0, delta) / seconds) * 10) / 10;
}
