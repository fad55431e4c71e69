// Owns what the query routes are created with.
import type { Clock, Logger } from '#libs/core';
import type { StreamsApplication } from '#libs/millrace';
import type { ControlTls } from '../options.ts';

/** What the routes ask of an application. */
export type QueriedApplication = Pick<StreamsApplication, 'applicationId' | 'state' | 'stores'>;

export interface QueryRouteOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** As other instances serve it: requests that are forwarded go by https, with these certificates. */
  readonly tls?: ControlTls | null;
  /** Until a forwarded request counts as not answered. Default 5,000. */
  readonly forwardTimeoutMs?: number;
  /** Bytes of an answer that is taken from another instance. Default 16 MiB. */
  readonly forwardBytesMax?: number;
  /** Instances asked beside each other for one request. Default 8. */
  readonly forwardParallelMax?: number;
  /** Feeds of changes open at a time. Default 64. */
  readonly feedsMax?: number;
  /** Between two signs of life in a feed without changes. Default 15,000. */
  readonly heartbeatMs?: number;
  /** How long a feed waits for a reader that does not take what was sent, before it ends it. Default 10,000. */
  readonly slowReaderMs?: number;
}
