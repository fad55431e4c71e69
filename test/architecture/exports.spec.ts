// What a topology is written with is exported by the package: whoever names the type of an option or a context finds it in `millrace`.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '../..');
const entry = (lib: string): string => join(ROOT, `libs/${lib}/src/index.ts`);

/** Between libs/topology and what runs it; no user names them. */
const INTERNAL = new Set([
  'Alarm',
  'AlarmFunction',
  'CoPartitionGroup',
  'CompiledTask',
  'GlobalStorePort',
  'GlobalStoreSpec',
  'InsideStore',
  'KeyValueStoreSpec',
  'LinksPort',
  'OperatorClock',
  'OrderedStorePort',
  'OrderedStoreSpec',
  'PartitionPlan',
  'PostedRecord',
  'ReadAhead',
  'RecordContext',
  'RepartitionSpec',
  'RetryTopicSpec',
  'SinkPort',
  'SinkSpec',
  'SourceFunction',
  'SourceSpec',
  'StoreEntry',
  'StorePort',
  'StoreSpec',
  'SubTopology',
  'TaskPorts',
  'checkPartitions',
  'deadLetterTopics',
  'isInternalSource',
  'userTopics',
]);

function exportsOf(libs: readonly string[]): Map<string, Set<string>> {
  const program = ts.createProgram(libs.map(entry), {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ESNext,
    customConditions: ['millrace-source'],
    allowImportingTsExtensions: true,
    noEmit: true,
    types: [],
  });
  const checker = program.getTypeChecker();
  const named = (lib: string): Set<string> => {
    const symbol = checker.getSymbolAtLocation(program.getSourceFile(entry(lib))!)!;
    return new Set(checker.getExportsOfModule(symbol).map(({ name }) => name));
  };
  return new Map(libs.map((lib) => [lib, named(lib)]));
}

describe('the package', () => {
  it('exports all that a topology is written with', () => {
    const exported = exportsOf(['topology', 'millrace']);
    const ours = exported.get('millrace')!;
    expect(ours.has('StreamsBuilder')).toBe(true);
    const missing = [...exported.get('topology')!].filter((name) => !ours.has(name) && !INTERNAL.has(name));
    expect(missing).toEqual([]);
  });
});
