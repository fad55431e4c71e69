// Owns the bridge from applications to OpenTelemetry: observable instruments that read an application's insight when they are collected, once
// for all of them. Between collections it does nothing.
import { metrics } from '@opentelemetry/api';
import type { Attributes, BatchObservableCallback, MeterProvider, Observable } from '@opentelemetry/api';
import { MillraceError } from '#libs/core';
import type { StreamsApplication } from '#libs/millrace';
import { ATTRIBUTES, METRICS } from './metric-definitions.ts';
import type { MetricName } from './metric-definitions.ts';
import { observeInsight } from './observe-insight.ts';

/** What metrics are read from. A `StreamsApplication` is one. */
export type ObservedApplication = Pick<StreamsApplication, 'applicationId' | 'insight'>;

export interface MetricsOptions {
  /** Started or not; each is observed for as long as it lives. */
  readonly applications: readonly ObservedApplication[];
  /** Default: the one that is registered globally. Where none is, nothing is measured. */
  readonly meterProvider?: MeterProvider;
}

export interface RegisteredMetrics {
  /** Nothing is observed any more. */
  close(): void;
}

/** The scope of the instruments. */
const METER = 'millrace';

/** @throws MillraceError MILLRACE_INVALID_CONFIG */
export function registerMetrics({ applications, meterProvider }: MetricsOptions): RegisteredMetrics {
  if (!areApplications(applications)) {
    throw new MillraceError({
      code: 'MILLRACE_INVALID_CONFIG',
      message: 'applications is no list of applications.',
      remedy: 'Pass the StreamsApplication objects whose metrics are wanted.',
    });
  }
  const meter = (meterProvider ?? metrics).getMeter(METER);
  const instruments = new Map<MetricName, Observable<Attributes>>();
  for (const [key, { name, kind, unit, description }] of Object.entries(METRICS)) {
    const options = { unit, description };
    const instrument =
      kind === 'counter'
        ? meter.createObservableCounter(name, options)
        : meter.createObservableGauge(name, options);
    instruments.set(key as MetricName, instrument);
  }
  const callback: BatchObservableCallback = (result) => {
    for (const application of applications) {
      const insight = application.insight();
      const common = {
        [ATTRIBUTES.application]: insight.applicationId,
        [ATTRIBUTES.instance]: insight.instanceId ?? '',
      };
      observeInsight(insight, (metric, value, labels) => {
        result.observe(instruments.get(metric)!, value, { ...common, ...labels });
      });
    }
  };
  const observables = [...instruments.values()];
  meter.addBatchObservableCallback(callback, observables);
  return { close: () => meter.removeBatchObservableCallback(callback, observables) };
}

function areApplications(given: unknown): boolean {
  if (!Array.isArray(given)) return false;
  return given.every((one: Partial<ObservedApplication> | null) => typeof one?.insight === 'function');
}
