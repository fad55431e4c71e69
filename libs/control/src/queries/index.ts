// What others see of queries over HTTP.
export { registerQueryRoutes } from './register-query-routes.ts';
export { createQueryServer } from './query-server.ts';
export type { QueryServer, QueryServerOptions } from './query-server.ts';
export type { QueriedApplication, QueryRouteOptions } from './query-options.ts';
