// Owns the names of subjects: Confluent's three strategies, or a function of the user's.
import type { SerdeUse } from '../serde.ts';

/**
 * `topic`: `<topic>-key`, `<topic>-value`. `record`: the full name of the record or message, `title` of a JSON Schema. `topicRecord`:
 * `<topic>-<record>`. A function gives any name.
 */
export type SubjectNaming =
  'topic' | 'record' | 'topicRecord' | ((topic: string, part: SerdeUse['part'], record: string) => string);

/** Of internal topics it is always by topic: their records are no one else's business. `null`: not to be told without the topic. */
export function subjectOf(
  naming: SubjectNaming,
  { topic, part, kind }: Pick<SerdeUse, 'topic' | 'part' | 'kind'>,
  record: string,
): string | null {
  if (kind !== 'external') return topic === null ? null : `${topic}-${part}`;
  if (naming === 'record') return record;
  if (topic === null) return null;
  if (naming === 'topic') return `${topic}-${part}`;
  return naming === 'topicRecord' ? `${topic}-${record}` : naming(topic, part, record);
}
