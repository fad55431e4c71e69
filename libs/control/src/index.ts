// libs/control: what operators see of applications, and what they may do to them, over HTTP. The server reads libs/millrace's applications
// and never a worker's inside.
export { createControlServer } from './server.ts';
export type { ControlServer } from './server.ts';
export { resolveControlOptions } from './options.ts';
export type { ControlServerOptions, ControlTls, ControlledApplication } from './options.ts';
export { ControlError } from './control-error.ts';
export type { ErrorBody } from './control-error.ts';
export type { Rate, RatedFlows } from './rates.ts';
export { createQueryServer, registerQueryRoutes } from './queries/index.ts';
export type {
  QueriedApplication,
  QueryRouteOptions,
  QueryServer,
  QueryServerOptions,
} from './queries/index.ts';
