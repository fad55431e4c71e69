// Resetting an application: where it reads from, its internal topics, its state on this machine, together.
export { planReset, resetApplication } from './reset.ts';
export type { OwnResetOptions } from './own-reset.ts';
export { RESET_STEPS } from './contract.ts';
export { parseDatetime, parseDuration } from './targets.ts';
export type {
  ResetMember,
  ResetOffset,
  ResetOptions,
  ResetPlan,
  ResetReport,
  ResetStateFolder,
  ResetStep,
  ResetTarget,
  ResetTopic,
  ResetTransaction,
} from './contract.ts';
