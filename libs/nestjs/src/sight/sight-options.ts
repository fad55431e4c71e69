// Owns what `MillraceModule.forRoot` takes for being seen: the control server, metrics, traces.
import type { ControlServerOptions } from '#libs/control';
import type { MetricsOptions, TracesOptions } from '#libs/telemetry';

/** `ControlServerOptions` without what the module knows: the applications, the logger, the clock. */
export type ModuleControlOptions = Omit<ControlServerOptions, 'applications' | 'logger' | 'clock'>;

export interface SightOptions {
  /**
   * Serves the dashboard, the control API and queries over HTTP, for all applications of the Nest application, from before they start until they
   * have drained. `true`: on port 8075 of this machine alone, without actions. One server is enough: it is an option of one
   * `forRoot`. It keeps no process alive. Default false.
   */
  readonly control?: boolean | ModuleControlOptions;
  /**
   * The application's metrics go to OpenTelemetry, which needs `@opentelemetry/api`. `true`: to the global meter provider. Default false.
   */
  readonly metrics?: boolean | Pick<MetricsOptions, 'meterProvider'>;
  /** The same for spans of epochs and of records whose trace is sampled. `true`: to the global tracer provider. Default false. */
  readonly traces?: boolean | Pick<TracesOptions, 'tracerProvider'>;
}
