// libs/telemetry: applications as OpenTelemetry sees them. It needs @opentelemetry/api, and an SDK of the user's choice to export anything.
export { registerMetrics } from './register-metrics.ts';
export type { MetricsOptions, ObservedApplication, RegisteredMetrics } from './register-metrics.ts';
export { registerTraces } from './register-traces.ts';
export type { RegisteredTraces, TracedApplication, TracesOptions } from './register-traces.ts';
export { ATTRIBUTES, METRICS } from './metric-definitions.ts';
export type { MetricDefinition, MetricKind } from './metric-definitions.ts';
