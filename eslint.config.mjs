// Lint rules of the repository: type-aware for TypeScript, plain for scripts.
// Owns two rules of the architecture that are about calls, not imports: time and chance come in through the ports of
// libs/core only, so that a test or a simulated cluster can hold them.

import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const useClock = 'Take it from the Clock of #libs/core: tests and the simulated cluster hold its time.';
const timers = ['setTimeout', 'setInterval', 'setImmediate'];

const noTimeOrChance = {
  'no-restricted-globals': ['error', ...timers.map((name) => ({ name, message: useClock }))],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: useClock },
    { object: 'performance', property: 'now', message: useClock },
    { object: 'process', property: 'hrtime', message: useClock },
    { object: 'Math', property: 'random', message: 'Take a seeded source, so that a seed replays the run.' },
    ...timers.map((property) => ({ object: 'globalThis', property, message: useClock })),
  ],
  'no-restricted-syntax': [
    'error',
    { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: useClock },
    { selector: "CallExpression[callee.name='Date']", message: useClock },
  ],
};

const restrictedImports = (...paths) => ({
  '@typescript-eslint/no-restricted-imports': [
    'error',
    {
      paths,
      patterns: [
        {
          regex: '^#libs/[^/]+/',
          message: 'Import #libs/<name>: what its index does not export is private.',
        },
        { regex: '^(\\.\\./)+libs/[^/]+/src/', message: 'Import #libs/<name>.' },
      ],
    },
  ],
});

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', '.cache/', '.millrace/', '**/node_modules/']),
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always'],
      'no-console': 'off',
      'no-var': 'error',
      'prefer-const': 'error',
      'object-shorthand': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      // Indexed access in hot loops is bounded by the loop, which the type checker cannot see.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // An interface's method may be asynchronous for other implementations.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowNullish: false },
      ],
      '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
      ...restrictedImports(),
    },
  },
  {
    files: ['libs/*/src/**/*.ts'],
    ignores: [
      'libs/core/src/*{clock,scheduler}*.ts',
      'libs/broker-local/**',
      'libs/testing/**',
      // A page has no Clock; its timers are in this one file.
      'libs/control/src/dashboard/client/browser-time.ts',
    ],
    rules: {
      ...noTimeOrChance,
      ...restrictedImports(
        { name: 'node:timers', message: useClock },
        { name: 'node:timers/promises', message: useClock },
        { name: 'node:perf_hooks', importNames: ['performance'], message: useClock },
      ),
    },
  },
  {
    files: ['**/*.spec.ts', 'libs/*/test/**/*.ts', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: {
        console: 'readonly',
        process: 'readonly',
        performance: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
      },
    },
  },
);
