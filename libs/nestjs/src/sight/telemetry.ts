// Owns the registration of an application with OpenTelemetry. What is measured is libs/telemetry's business; that, and the package
// `@opentelemetry/api` with it, is loaded only where it is asked for.
import type { StreamsApplication } from '#libs/millrace';
import type * as Telemetry from '#libs/telemetry';
import { telemetryMissing } from '../exceptions.ts';
import type { SightOptions } from './sight-options.ts';

export interface Registered {
  close(): void;
}

/** @throws FatalError MILLRACE_INVALID_CONFIG `@opentelemetry/api` is not installed. */
export async function registerTelemetry(
  application: StreamsApplication,
  { metrics = false, traces = false }: Pick<SightOptions, 'metrics' | 'traces'>,
): Promise<Registered> {
  const registered: Registered[] = [];
  if (metrics !== false || traces !== false) {
    const { registerMetrics, registerTraces } = await loadTelemetry();
    const applications = [application];
    if (metrics !== false)
      registered.push(registerMetrics({ applications, ...(metrics === true ? {} : metrics) }));
    if (traces !== false)
      registered.push(registerTraces({ applications, ...(traces === true ? {} : traces) }));
  }
  return {
    close() {
      for (const each of registered) each.close();
    },
  };
}

async function loadTelemetry(): Promise<typeof Telemetry> {
  try {
    return await import('#libs/telemetry');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') throw telemetryMissing(error);
    throw error;
  }
}
