// Owns the record that a processor is given: a copy of its parts, whose headers are decoded only when somebody asks.
import type { RecordHeader } from '#libs/core';
import type { ForwardedValue, ProcessorRecord } from '../options/processing.ts';
import type { RecordContext } from '../ports.ts';

export class RecordInProcess implements ProcessorRecord<unknown, unknown> {
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
  readonly #headers: readonly RecordHeader[] | null;
  readonly #context: RecordContext;

  /** `headers` `null`: those of the record in process. */
  constructor(
    key: unknown,
    value: unknown,
    timestamp: number,
    headers: readonly RecordHeader[] | null,
    context: RecordContext,
  ) {
    this.key = key;
    this.value = value;
    this.timestamp = timestamp;
    this.#headers = headers;
    this.#context = context;
  }

  /** `null`: those of the record in process, which need not be decoded. */
  static headersOf(record: ForwardedValue<unknown>): readonly RecordHeader[] | null {
    return #headers in record ? record.#headers : (record.headers ?? null);
  }

  get headers(): readonly RecordHeader[] {
    return this.#headers ?? this.#context.outputHeaders ?? this.#context.headers();
  }

  withKey<KR>(key: KR): ProcessorRecord<KR, unknown> {
    return new RecordInProcess(
      key,
      this.value,
      this.timestamp,
      this.#headers,
      this.#context,
    ) as ProcessorRecord<KR, unknown>;
  }

  withValue<VR>(value: VR): ProcessorRecord<unknown, VR> {
    return new RecordInProcess(
      this.key,
      value,
      this.timestamp,
      this.#headers,
      this.#context,
    ) as ProcessorRecord<unknown, VR>;
  }

  withTimestamp(timestamp: number): RecordInProcess {
    return new RecordInProcess(this.key, this.value, timestamp, this.#headers, this.#context);
  }

  withHeaders(headers: readonly RecordHeader[]): RecordInProcess {
    return new RecordInProcess(this.key, this.value, this.timestamp, headers, this.#context);
  }
}
