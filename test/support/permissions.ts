// Owns the list of what a Millrace application must be allowed in Kafka: the one table behind docs/operations/security.md and the specs that
// take one permission at a time away (test/integration/security-acls.spec.ts). It grants nothing.

/** `<application.id>` and the like stand for names of the user. */
export interface NeededPermission {
  readonly id: string;
  readonly resourceType: 'Topic' | 'Group' | 'TransactionalId';
  readonly patternType: 'literal' | 'prefixed';
  readonly resourceName: string;
  readonly operation: 'Read' | 'Write' | 'Create' | 'Delete' | 'DescribeConfigs';
  /** When it is needed. */
  readonly when: string;
  /** What it is needed for. */
  readonly why: string;
}

export const NEEDED_PERMISSIONS: readonly NeededPermission[] = [
  {
    id: 'read-input',
    resourceType: 'Topic',
    patternType: 'literal',
    resourceName: '<input topic>',
    operation: 'Read',
    when: 'always, for each input topic and each topic of a global table',
    why: 'fetch records, commit offsets of them',
  },
  {
    id: 'write-output',
    resourceType: 'Topic',
    patternType: 'literal',
    resourceName: '<output topic>',
    operation: 'Write',
    when: 'for each topic that a sink writes to',
    why: 'produce',
  },
  {
    id: 'write-dead-letters',
    resourceType: 'Topic',
    patternType: 'literal',
    resourceName: '<dead letter topic>',
    operation: 'Write',
    when: 'for each dead letter topic',
    why: 'produce dead letters',
  },
  {
    id: 'read-internal',
    resourceType: 'Topic',
    patternType: 'prefixed',
    resourceName: '<application.id>-',
    operation: 'Read',
    when: 'with stores, repartitions or retry topics',
    why: 'read repartition and retry topics, restore stores from changelogs',
  },
  {
    id: 'write-internal',
    resourceType: 'Topic',
    patternType: 'prefixed',
    resourceName: '<application.id>-',
    operation: 'Write',
    when: 'with stores, repartitions or retry topics',
    why: 'produce to changelogs, repartition and retry topics',
  },
  {
    id: 'describe-configs',
    resourceType: 'Topic',
    patternType: 'prefixed',
    resourceName: '<application.id>-',
    operation: 'DescribeConfigs',
    when: 'with stores, repartitions or retry topics',
    why: 'refuse a changelog that Kafka would delete records of',
  },
  {
    id: 'create-internal',
    resourceType: 'Topic',
    patternType: 'prefixed',
    resourceName: '<application.id>-',
    operation: 'Create',
    when: 'unless the internal topics are made beforehand',
    why: 'create internal topics',
  },
  {
    id: 'delete-consumed',
    resourceType: 'Topic',
    patternType: 'prefixed',
    resourceName: '<application.id>-',
    operation: 'Delete',
    when: 'with repartitions or retry topics, which otherwise grow without end',
    why: 'delete records of repartition and retry topics once they are consumed (DeleteRecords)',
  },
  {
    id: 'group',
    resourceType: 'Group',
    patternType: 'literal',
    resourceName: '<application.id>',
    operation: 'Read',
    when: 'always',
    why: 'join the group, read and commit its offsets',
  },
  {
    id: 'transactions',
    resourceType: 'TransactionalId',
    patternType: 'prefixed',
    resourceName: '<application.id>-',
    operation: 'Write',
    when: 'with `processingGuarantee: exactly_once`, the default',
    why: 'write in transactions; for the prefix, to find and end what an instance that died left open',
  },
];

/** For who puts dead letters back, under a principal of its own or the application's. */
export const REDRIVE_PERMISSIONS: readonly NeededPermission[] = [
  {
    id: 'redrive-read',
    resourceType: 'Topic',
    patternType: 'literal',
    resourceName: '<dead letter topic>',
    operation: 'Read',
    when: 'always',
    why: 'read dead letters, note which were put back',
  },
  {
    id: 'redrive-write',
    resourceType: 'Topic',
    patternType: 'literal',
    resourceName: '<input topic>',
    operation: 'Write',
    when: 'for each topic that dead letters came from; not with `discard`',
    why: 'put them back',
  },
  {
    id: 'redrive-group',
    resourceType: 'Group',
    patternType: 'literal',
    resourceName: '<application.id>-dlq-redrive',
    operation: 'Read',
    when: 'always',
    why: 'keep the note',
  },
  {
    id: 'redrive-transactions',
    resourceType: 'TransactionalId',
    patternType: 'literal',
    resourceName: '<application.id>-dlq-redrive',
    operation: 'Write',
    when: 'always; the application’s own permission covers it',
    why: 'note and put back in one transaction',
  },
];

/** The rows of a table in docs/operations/security.md. */
export function permissionsAsMarkdown(permissions: readonly NeededPermission[]): string {
  const rows = permissions.map(
    ({ resourceType, patternType, resourceName, operation, when, why }) =>
      `| ${resourceType} | ${patternType} | \`${resourceName}\` | ${operation} | ${when} | ${why} |`,
  );
  return [
    '| resource | pattern | name | operation | needed | for |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

const OPTIONS = { Topic: '--topic', Group: '--group', TransactionalId: '--transactional-id' } as const;

/** The same as commands, one for each resource. */
export function permissionsAsCommands(principal: string): string {
  const operations = new Map<string, string[]>();
  for (const { resourceType, patternType, resourceName, operation } of NEEDED_PERMISSIONS) {
    const resource = `--resource-pattern-type ${patternType} ${OPTIONS[resourceType]} '${resourceName}'`;
    operations.set(resource, [...(operations.get(resource) ?? []), operation]);
  }
  return [...operations]
    .map(
      ([resource, names]) =>
        `kafka-acls.sh --bootstrap-server "$KAFKA" --command-config admin.properties --add --allow-principal '${principal}' \\\n  ${names.map((name) => `--operation ${name}`).join(' ')} ${resource}`,
    )
    .join('\n');
}
