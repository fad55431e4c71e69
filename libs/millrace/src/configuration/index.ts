// Configuration from outside the program: variables and a file.
export { configurationVariables, readConfiguration } from './read-configuration.ts';
export type {
  ApplicationConfiguration,
  ControlConfiguration,
  ReadConfigurationOptions,
} from './read-configuration.ts';
