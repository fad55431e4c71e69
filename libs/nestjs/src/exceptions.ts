// Owns the refusals of this library: what was looked for, what was found, and what to try.
import { FatalError } from '#libs/millrace';
import type { ErrorCode } from '#libs/millrace';

export function withSolutions(
  code: ErrorCode,
  message: string,
  solutions: readonly string[],
  cause?: unknown,
): FatalError {
  const list = solutions.map((solution) => `\n  - ${solution}`).join('');
  return new FatalError({
    ...{ code, message, remedy: `Possible solutions:${list}` },
    ...(cause === undefined ? {} : { cause }),
  });
}

export const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

export function noTopology(application: string, others: readonly string[]): FatalError {
  return withSolutions(
    'MILLRACE_INVALID_TOPOLOGY',
    `No topology was found for the application "${application}".`,
    [
      'Mark a class with @Topology(), or a method with @ExactlyOnceHandler().',
      'Is that class a provider of a module that is imported, or in MillraceModule.forFeature([…])?',
      ...(others.length === 0
        ? []
        : [
            `There are topologies for ${quoted(others)}: does @Topology({ application }) name the right one?`,
          ]),
    ],
  );
}

export function unknownApplication(
  topology: string,
  application: string,
  known: readonly string[],
): FatalError {
  return withSolutions(
    'MILLRACE_INVALID_TOPOLOGY',
    `The topology ${topology} is for the application "${application}", which does not exist.`,
    [
      `Import MillraceModule.forRoot({ name: '${application}', … }).`,
      `Name one of those there are: ${quoted(known)}.`,
    ],
  );
}

export function sameName(application: string): FatalError {
  return withSolutions('MILLRACE_INVALID_CONFIG', `Two MillraceModules have the name "${application}".`, [
    "Give each its own: MillraceModule.forRoot({ name: 'orders', … }).",
    'Is one module, with its forRoot, imported twice?',
  ]);
}

export function severalControlServers(): FatalError {
  return withSolutions(
    'MILLRACE_INVALID_CONFIG',
    'Two MillraceModules have the option control; one server serves all applications.',
    ['Give it to one of them: MillraceModule.forRoot({ control: { … } }).'],
  );
}

export function telemetryMissing(cause: unknown): FatalError {
  return withSolutions(
    'MILLRACE_INVALID_CONFIG',
    'The options metrics and traces of MillraceModule need the package @opentelemetry/api, which is not installed.',
    ['npm install @opentelemetry/api', 'Leave these options out.'],
    cause,
  );
}

export function noBuildMethod(topology: string): FatalError {
  return withSolutions(
    'MILLRACE_INVALID_TOPOLOGY',
    `The class ${topology} is marked with @Topology() but has no method build(builder).`,
    ['Add build(builder: StreamsBuilder): void, and draw the topology there.'],
  );
}

export function scopedProvider(what: string): FatalError {
  return withSolutions(
    'MILLRACE_SCOPED_PROVIDER',
    `${what} depends on something that is scoped to a request or transient.`,
    [
      'Records come without requests: give it providers of the default scope.',
      'Take ModuleRef and resolve the scoped provider where it is needed.',
    ],
  );
}
