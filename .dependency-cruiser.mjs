// Who may import whom. The table below is the one place this is written down; `npm run arch` holds it.
// Each library may import itself and what its row names, always through the other's index (`#libs/<name>`).

const below = ['core', 'serde', 'broker', 'topology', 'state'];
const runtimeAndBelow = [...below, 'runtime'];
const wired = [...runtimeAndBelow, 'state-rocksdb', 'kafka', 'kafkajs', 'broker-memory', 'broker-local'];

const mayImport = {
  core: [],
  serde: ['core'],
  broker: ['core'],
  topology: ['core', 'serde'],
  state: ['core', 'serde'],
  'state-rocksdb': ['core', 'state'],
  kafka: ['core', 'broker'],
  'broker-memory': ['core', 'broker'],
  kafkajs: ['core', 'broker'],
  'broker-local': ['core'],
  runtime: below,
  testing: [...runtimeAndBelow, 'broker-memory', 'broker-local'],
  millrace: [...wired, 'control', 'snapshot'],
  telemetry: ['core', 'runtime', 'millrace'],
  control: [...wired, 'millrace', 'snapshot'],
  snapshot: [...wired, 'millrace'],
  cli: [...wired, 'millrace', 'control', 'snapshot'],
  nestjs: ['millrace', 'control', 'telemetry'],
};

const anyOf = (names) => names.join('|');
const libraryRows = Object.entries(mayImport).map(([name, others]) => ({
  from: { path: `^libs/${name}/src/` },
  to: { path: `^libs/(${anyOf([name, ...others])})/src/` },
}));

export default {
  allowed: [
    ...libraryRows,
    // The testing part of libs/nestjs is the only one that sees libs/testing.
    { from: { path: '^libs/nestjs/src/testing/' }, to: { path: '^libs/testing/src/' } },
    {
      from: { path: '^apps/([^/]+)/' },
      to: {
        path: [
          '^apps/$1/',
          '^apps/lesson-kit/src/index\\.ts$',
          '^libs/(nestjs|millrace|control|telemetry|broker-local)/src/',
        ],
      },
    },
    { from: { path: '^apps/.*\\.spec\\.ts$' }, to: { path: '^libs/testing/src/' } },
    // Specs may use any library and the fixtures of any library's specs; so may the cross-library tests.
    { from: { path: '^libs/[^/]+/test/' }, to: { path: ['^libs/', '^test/support/'] } },
    { from: { path: '^test/' }, to: { path: ['^libs/', '^apps/', '^test/', '^scripts/'] } },
    // Packages and Node itself are open to all, within the rules under `forbidden`.
    { from: {}, to: { path: 'node_modules' } },
    { from: {}, to: { dependencyTypes: ['core'] } },
    { from: {}, to: { path: '^package\\.json$' } },
    // Reported once, by everything-resolves.
    { from: {}, to: { couldNotResolve: true } },
  ],
  allowedSeverity: 'error',
  forbidden: [
    {
      name: 'known-libraries-only',
      comment: 'A new library needs a row in the table of .dependency-cruiser.mjs.',
      severity: 'error',
      from: { path: '^libs/', pathNot: `^libs/(${anyOf(Object.keys(mayImport))})/` },
      to: {},
    },
    {
      name: 'libraries-through-their-index',
      comment: 'Import #libs/<name>: what its index does not export is private.',
      severity: 'error',
      from: { path: '^libs/([^/]+)/src/' },
      to: { path: '^libs/', pathNot: ['^libs/$1/', '^libs/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'sources-never-import-specs',
      severity: 'error',
      from: { path: '^(libs|apps)/[^/]+/src/', pathNot: '\\.spec\\.ts$' },
      to: { path: ['^libs/[^/]+/test/', '^test/', '\\.spec\\.ts$'] },
    },
    {
      name: 'no-kafka-client-in-what-is-published',
      comment: 'Libraries speak through libs/kafka (docs/decisions/0002); kafkajs is for services and specs.',
      severity: 'error',
      from: { path: '^libs/[^/]+/src/' },
      to: { path: 'node_modules/(kafkajs|@platformatic/kafka|node-rdkafka|@confluentinc/kafka-javascript)/' },
    },
    {
      name: 'rocksdb-only-in-libs-state-rocksdb',
      severity: 'error',
      from: { path: '^(libs|apps)/', pathNot: '^libs/state-rocksdb/' },
      to: { path: 'node_modules/rocksdb-native/' },
    },
    {
      name: 'nestjs-only-in-libs-nestjs-and-apps',
      severity: 'error',
      from: { path: '^libs/', pathNot: '^libs/nestjs/' },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'core-does-no-io',
      severity: 'error',
      from: { path: '^libs/(core|topology)/src/' },
      to: {
        dependencyTypes: ['core'],
        path: '^(node:)?(fs|net|tls|http|https|http2|dns|dgram|child_process|worker_threads|cluster)',
      },
    },
    {
      name: 'no-development-dependency-in-what-is-published',
      comment: 'libs/broker-local loads its Docker road only when it is there.',
      severity: 'error',
      from: { path: '^libs/[^/]+/src/', pathNot: ['\\.spec\\.ts$', '^libs/broker-local/'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer', 'type-only'] },
    },
    {
      name: 'no-undeclared-package',
      severity: 'error',
      from: { path: '^(libs|apps|test)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^(libs|apps)/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    moduleSystems: ['es6', 'cjs'],
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['millrace-source', 'import', 'node', 'types', 'default', 'require'],
      extensions: ['.ts', '.mjs', '.js', '.json', '.d.ts'],
    },
    combinedDependencies: false,
  },
};
