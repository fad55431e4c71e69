// Jest in ESM mode over the TypeScript sources. Owns how specs are found and transformed; never what they need to run.
// Two projects: `unit` needs nothing but Node; `integration` may start a real broker, one for each worker.

const shared = {
  rootDir: import.meta.dirname,
  cacheDirectory: '<rootDir>/.cache/jest',
  testEnvironment: 'node',
  // `#libs/*` resolves to the sources, as it does for `node --conditions=millrace-source`.
  testEnvironmentOptions: { customExportConditions: ['millrace-source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.cache/', '<rootDir>/.millrace/'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
      },
    ],
  },
};

export default {
  rootDir: import.meta.dirname,
  testSequencer: '<rootDir>/test/support/longest-first.mjs',
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/libs/**/test/**/*.spec.ts',
        '<rootDir>/apps/**/*.spec.ts',
        '<rootDir>/test/architecture/**/*.spec.ts',
        '<rootDir>/test/simulation/**/*.spec.ts',
        '<rootDir>/test/chaos/**/*.spec.ts',
        '<rootDir>/test/vectors/**/*.spec.ts',
      ],
      testPathIgnorePatterns: ['/node_modules/', '\\.integration\\.spec\\.ts$'],
    },
    {
      ...shared,
      displayName: 'integration',
      setupFilesAfterEnv: ['<rootDir>/test/support/integration-timeout.mjs'],
      // The broker that specs share: started when the first of them asks, ended with the run.
      globalSetup: '<rootDir>/test/support/broker-global-setup.mjs',
      globalTeardown: '<rootDir>/test/support/broker-global-teardown.mjs',
      testMatch: [
        '<rootDir>/test/integration/**/*.spec.ts',
        '<rootDir>/test/contract/**/*.spec.ts',
        '<rootDir>/test/package/**/*.spec.ts',
        '<rootDir>/**/*.integration.spec.ts',
      ],
    },
  ],
};
