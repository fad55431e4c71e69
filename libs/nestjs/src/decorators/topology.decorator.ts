// Owns `@Topology()`: it marks a class, and nothing else happens here.
import { Injectable, SetMetadata, applyDecorators } from '@nestjs/common';
import type { StreamsBuilder } from '#libs/millrace';
import { DEFAULT_APPLICATION } from '../tokens.ts';

export const TOPOLOGY_METADATA = 'millrace:topology';

export interface TopologyOptions {
  /** The application that runs it: the `name` of its `MillraceModule.forRoot`. Default: the unnamed one. */
  readonly application?: string;
}

/** What a class marked with `@Topology()` is. */
export interface TopologyClass {
  /** Draws streams, tables and sinks. Called once, after all providers exist and before the application starts. */
  build(builder: StreamsBuilder): void;
}

/**
 * Marks an injectable class as a topology: `build(builder)` draws it. What the class needs arrives by its constructor, and its
 * operators may use it. All topologies of one application are drawn on one builder, in the order of their class names.
 */
export function Topology(options: TopologyOptions = {}): ClassDecorator {
  const application = options.application ?? DEFAULT_APPLICATION;
  return applyDecorators(Injectable(), SetMetadata(TOPOLOGY_METADATA, { application }));
}
