// Dead letters: to look at them, and to put them back exactly once.
export { peekDeadLetters, summarizeDeadLetters } from './browse.ts';
export { redriveDeadLetters } from './redrive.ts';
export { REDRIVE_COUNT_HEADER } from './dead-letter-record.ts';
export type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterOrigin,
  DeadLetterSummary,
  DeadLetterTopic,
  RedriveOptions,
  RedriveRefusal,
  RedriveReport,
} from './contract.ts';
