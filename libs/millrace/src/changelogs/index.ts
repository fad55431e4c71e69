// Reading changelogs from outside of an application.
export { dumpChangelog } from './dump-changelog.ts';
export type { ChangelogRow, DumpChangelogOptions } from './dump-changelog.ts';
export { readRecords } from './read-records.ts';
export type { ReadProgress, RecordSpan } from './read-records.ts';
