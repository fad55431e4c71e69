// Owns finding the methods marked with `@ExactlyOnceHandler()`. It draws nothing and calls nothing.
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { HANDLER_METADATA } from '../decorators/exactly-once-handler.decorator.ts';
import type { HandlerMetadata } from '../decorators/exactly-once-handler.decorator.ts';
import { scopedProvider } from '../exceptions.ts';
import { enhancedHandler, missingMethod } from './handler-exceptions.ts';
import type { FoundHandler } from './handler-method.ts';

/** Nest's metadata of what runs around a request, by what users write. */
const ENHANCERS: Readonly<Record<string, string>> = {
  __guards__: '@UseGuards()',
  __interceptors__: '@UseInterceptors()',
  __pipes__: '@UsePipes()',
  __exceptionFilters__: '@UseFilters()',
};
const PARAMETERS = '__routeArguments__';

/** A marked method, not yet looked at closely: what is wrong with it concerns its own application alone. */
export interface MarkedHandler extends HandlerMetadata {
  readonly label: string;
  /** @throws MillraceError with possible solutions. */
  resolve(): FoundHandler;
}

/** The marked methods of providers, each once, in the order of their labels. */
export function findHandlers(wrappers: readonly InstanceWrapper[]): MarkedHandler[] {
  const found: MarkedHandler[] = [];
  const seen = new Set<unknown>();
  for (const wrapper of wrappers) {
    const type = classOf(wrapper);
    // A class that several modules provide has an instance in each; its handlers are drawn once.
    if (type === null || seen.has(wrapper.token)) continue;
    for (const method of methodsOf(type)) {
      const marks = marksOf(type, method);
      if (marks.length > 0) seen.add(wrapper.token);
      for (const [index, mark] of marks.entries()) {
        const label = `${type.name}.${method}${index === 0 ? '' : `-${index + 1}`}`;
        found.push({ ...mark, label, resolve: () => resolve(wrapper, type, method, { ...mark, label }) });
      }
    }
  }
  return found.sort((a, b) => (a.label < b.label ? -1 : 1));
}

function resolve(
  wrapper: InstanceWrapper,
  type: NewableFunction,
  method: string,
  mark: HandlerMetadata & { readonly label: string },
): FoundHandler {
  if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient)
    throw scopedProvider(`The handler ${mark.label}`);
  const instance = wrapper.instance as Readonly<Record<string, unknown>>;
  if (typeof instance[method] !== 'function') throw missingMethod(mark.label);
  const enhancers = enhancersOf(type, method);
  if (enhancers.length > 0) throw enhancedHandler(mark.label, enhancers);
  return { ...mark, instance, method };
}

/** By its class, or by its token where a test has put another object in its place. */
function classOf(wrapper: InstanceWrapper): NewableFunction | null {
  for (const candidate of [wrapper.metatype, wrapper.token]) {
    if (typeof candidate !== 'function' || typeof candidate.prototype !== 'object') continue;
    if (methodsOf(candidate).some((method) => marksOf(candidate, method).length > 0)) return candidate;
  }
  return null;
}

/** Of the class and those it extends. */
function methodsOf(type: NewableFunction | (abstract new () => object) | (new () => object)): string[] {
  const names = new Set<string>();
  let prototype = type.prototype as object | null;
  while (prototype !== null && prototype !== Object.prototype) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name !== 'constructor' && typeof value === 'function') names.add(name);
    }
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }
  return [...names].sort();
}

function functionOf(type: NewableFunction, method: string): object {
  return (type.prototype as Readonly<Record<string, object>>)[method]!;
}

function marksOf(type: NewableFunction, method: string): readonly HandlerMetadata[] {
  return (Reflect.getMetadata(HANDLER_METADATA, functionOf(type, method)) ??
    []) as readonly HandlerMetadata[];
}

function enhancersOf(type: NewableFunction, method: string): string[] {
  const own = functionOf(type, method);
  const found = Object.keys(ENHANCERS)
    .filter((key) => Reflect.hasMetadata(key, own))
    .map((key) => ENHANCERS[key]!);
  if (Reflect.hasMetadata(PARAMETERS, type, method)) found.push('decorators of its parameters');
  return found;
}
