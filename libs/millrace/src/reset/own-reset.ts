// Owns what an application is asked for when it resets itself; the rest it says of itself.
import type { ResetOptions } from './contract.ts';

export type OwnResetOptions = Omit<
  ResetOptions,
  'kafka' | 'applicationId' | 'stateDir' | 'deadLetterTopics' | 'logger' | 'clock'
>;
