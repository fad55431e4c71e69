// Owns the shapes in which the control API tells things, by the types it is written with. Nothing but types: none of it is in the page.
import type { ApplicationInsight } from '#libs/millrace';
import type { HistorySample } from '../../history.ts';
import type { RatedFlows } from '../../rates.ts';

export type {
  CopyFigures,
  DescribedNode,
  DescribedSubTopology,
  DescribedTopology,
  DropCount,
  EpochFigures,
  IssueFigures,
  PartitionFigures,
  RebalanceFigures,
  RestoreProgress,
  TaskFigures,
  TaskPhase,
} from '#libs/millrace';
export type { HistorySample } from '../../history.ts';

/** What a snapshot event has. */
export type Snapshot = Omit<ApplicationInsight, 'inputs' | 'outputs'> & RatedFlows;
export type RatedInput = RatedFlows['inputs'][number];
export type RatedOutput = RatedFlows['outputs'][number];

export type Summary = Pick<
  ApplicationInsight,
  'applicationId' | 'instanceId' | 'state' | 'stateSince' | 'paused' | 'error'
>;

export interface ApplicationList {
  readonly applications: readonly Summary[];
  readonly actionsAllowed: boolean;
  readonly version: string;
}

export interface HistoryAnswer {
  readonly intervalMs: number;
  readonly samples: readonly HistorySample[];
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly where: string;
  readonly remedy: string | null;
}
