// An application's group as Kafka shows it from outside.
export { groupLag } from './lag.ts';
export type { GroupLag, GroupLagOptions, PartitionLag } from './lag.ts';
export { groupTasks } from './tasks.ts';
export type { GroupTasks, GroupTasksOptions, MemberTasks } from './tasks.ts';
