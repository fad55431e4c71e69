// Owns the options of a stream–stream join.
import type { SerdeOf } from '../options.ts';
import type { FailureOptions } from './failure-policy.ts';

/** How two streams meet: serdes, names and stores. `K`, `V`, `VO`: key, this stream's values, the other's. */
export interface StreamJoined<K, V, VO> extends FailureOptions {
  /**
   * Base name of the stores: `<storeName>-this-join-store`, `<storeName>-other-join-store` and, for left and outer joins,
   * `<storeName>-left-shared-join-store` or `<storeName>-outer-shared-join-store`. Default: `name`. One of the two is needed.
   */
  readonly storeName?: string | undefined;
  /**
   * Base name of the processors and of the repartition topics that are needed where a key was changed upstream:
   * `<name>-left-repartition`, `<name>-right-repartition`. Default for the topics: `storeName`.
   */
  readonly name?: string | undefined;
  /** Default: the streams' own. */
  readonly keySerde?: SerdeOf<K> | undefined;
  readonly valueSerde?: SerdeOf<V> | undefined;
  readonly otherValueSerde?: SerdeOf<VO> | undefined;
  /** Default true. False: no changelogs, the stores start empty on a new machine. */
  readonly loggingEnabled?: boolean | undefined;
  /** Extra configuration of the changelog topics, by Kafka's names. */
  readonly changelogConfig?: Readonly<Record<string, string>> | undefined;
  /** `inMemory`: not kept on disk, restored whole from the changelogs at every start. Default: the application's. */
  readonly storeType?: 'default' | 'inMemory' | undefined;
}

function asStreamJoined(storeName: string): { readonly storeName: string };
function asStreamJoined<K, V, VO>(
  storeName: string,
  options: Omit<StreamJoined<K, V, VO>, 'storeName'>,
): StreamJoined<K, V, VO>;
function asStreamJoined(storeName: string, options: object = {}): { readonly storeName: string } {
  return { ...options, storeName };
}

export const StreamJoined = {
  /** By the base name of the stores. */
  as: asStreamJoined,
  with: <K, V, VO>(
    keySerde: SerdeOf<K>,
    valueSerde: SerdeOf<V>,
    otherValueSerde: SerdeOf<VO>,
    options: Omit<StreamJoined<K, V, VO>, 'keySerde' | 'valueSerde' | 'otherValueSerde'> = {},
  ): StreamJoined<K, V, VO> => ({ ...options, keySerde, valueSerde, otherValueSerde }),
};
