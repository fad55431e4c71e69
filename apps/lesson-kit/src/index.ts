// apps/lesson-kit: what every lesson needs around its service and none teaches: the process, a broker, topics, a chart. A lesson imports
// this index; nothing here knows any lesson.
export { runLesson } from './run-lesson.ts';
export type { Lesson } from './run-lesson.ts';
export { startBroker, startRegistry, stateFolder } from './surroundings.ts';
export { createTopics, outsideClient, whileRetriable } from './outside-client.ts';
export { barChart } from './bar-chart.ts';
export type { Bar, BarChartOptions } from './bar-chart.ts';
export { aborted, say } from './say.ts';
export { TerminalScreen } from './terminal-screen.ts';
export type { Drawing } from './terminal-screen.ts';
export { TopicTable } from './topic-table.ts';
export { readFromOutside } from './outside-reader.ts';
export type { OutsideReader, OutsideRecord } from './outside-reader.ts';
export { startServiceProcess } from './service-process.ts';
export type { ServiceProcess } from './service-process.ts';
export { Random } from './random.ts';
export { choosePort } from './choose-port.ts';
export { SimulatedCopies } from './simulated-copies.ts';
export type { SimulatedOptions } from './simulated-copies.ts';
