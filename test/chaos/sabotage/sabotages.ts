import type { ScheduledFault } from '../faults.ts';
export interface Sabotage {
  readonly guarantee: string;
  readonly faults: readonly ScheduledFault[];
  readonly records: number;
}
export const SABOTAGES: readonly Sabotage[] = [];
