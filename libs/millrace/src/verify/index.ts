// The check that local state is what its changelogs say.
export { verifyState } from './verify.ts';
export type {
  Difference,
  DifferenceKind,
  StoredSide,
  StoreVerification,
  TaskVerification,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
} from './contract.ts';
