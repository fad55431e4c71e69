// Owns where the service can be seen from outside: the ports of its control server and of the endpoint for Prometheus, and what is said of
// both. The servers are opened by whom they are told to.
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { FatalError } from '#libs/millrace';
import { choosePort } from '../../lesson-kit/src/index.ts';
import type { Arguments } from './arguments.ts';
import { APPLICATION_ID } from './service/flight-delays.module.ts';
import type { FlightDelaysOptions } from './service/flight-delays.module.ts';

const HOST = '127.0.0.1';
const CONTROL_PORT = 8075;
const METRICS_PORT = 9464;

export interface Sight {
  /** For the module. */
  readonly options: Required<Pick<FlightDelaysOptions, 'applicationServer' | 'control' | 'metrics'>>;
  /** A line for each address. */
  readonly addresses: readonly string[];
}

/** Opens the endpoint for Prometheus, until `cleanUp`. @throws FatalError MILLRACE_INVALID_CONFIG its port is taken. */
export async function openSight(
  { port, metricsPort }: Pick<Arguments, 'port' | 'metricsPort'>,
  cleanUp: AsyncDisposableStack,
): Promise<Sight> {
  const controlPort = await choosePort(port, CONTROL_PORT);
  const exporterPort = await choosePort(metricsPort, METRICS_PORT);
  const exporter = new PrometheusExporter({
    ...{ host: HOST, port: exporterPort, preventServerStart: true },
    // It would only say that the process has no name.
    withoutTargetInfo: true,
  });
  const meterProvider = new MeterProvider({ readers: [exporter] });
  cleanUp.defer(() => meterProvider.shutdown());
  try {
    await exporter.startServer();
  } catch (error) {
    throw new FatalError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: `The endpoint for Prometheus cannot listen on ${HOST}:${exporterPort}: ${error instanceof Error ? error.message : String(error)}.`,
      remedy: 'Choose another port by --metrics-port; 0 takes any that is free.',
      cause: error,
    });
  }
  const address = `${HOST}:${controlPort}`;
  const stores = `http://${address}/v1/applications/${APPLICATION_ID}/stores`;
  return {
    options: {
      // Where other copies send queries for what is here.
      applicationServer: address,
      control: { host: HOST, port: controlPort, allowActions: true },
      metrics: { meterProvider },
    },
    addresses: [
      `Dashboard    http://${address}/`,
      `Control API  http://${address}/openapi.json`,
      `Queries      ${stores}/delays/keys/JFK`,
      `             ${stores}/delays/entries?lower=JAA&upper=JZZ`,
      `Prometheus   http://${HOST}:${exporterPort}/metrics`,
    ],
  };
}
