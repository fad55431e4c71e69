// Owns how elements are written here: Preact's `h`, typed so that what it makes is simply a node. There is no JSX, which Node could not strip.
import { h as createElement } from 'preact';
import type { ComponentChildren, JSX, VNode } from 'preact';

type Tag = keyof JSX.IntrinsicElements;
type Attributes<Name extends Tag> = JSX.IntrinsicElements[Name] & {
  readonly [data in `data-${string}`]?: string | number;
};

export function h<Name extends Tag>(
  tag: Name,
  attributes: Attributes<Name> | null,
  ...children: ComponentChildren[]
): VNode;
export function h<Properties extends object>(
  component: (properties: Properties) => VNode | null,
  properties: (Omit<Properties, 'children'> & { readonly key?: string | number }) | null,
  ...children: ComponentChildren[]
): VNode;
export function h(type: unknown, properties: object | null, ...children: ComponentChildren[]): VNode {
  return createElement(type as string, properties as null, ...children);
}
