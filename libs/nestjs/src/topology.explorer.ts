// Owns finding what an application is made of (classes marked with `@Topology()`, methods marked with `@ExactlyOnceHandler()`) and drawing
// it. It starts nothing.
import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { StreamsBuilder } from '#libs/millrace';
import { TOPOLOGY_METADATA } from './decorators/topology.decorator.ts';
import type { TopologyClass, TopologyOptions } from './decorators/topology.decorator.ts';
import { noBuildMethod, noTopology, sameName, scopedProvider, unknownApplication } from './exceptions.ts';
import { unknownApplicationOfHandler } from './handlers/handler-exceptions.ts';
import { drawHandlers } from './handlers/handler-topology.ts';
import { findHandlers } from './handlers/handler.explorer.ts';
import type { MarkedHandler } from './handlers/handler.explorer.ts';
import { APPLICATION_NAME } from './tokens.ts';

interface FoundTopology {
  readonly name: string;
  readonly application: string;
  readonly wrapper: InstanceWrapper<Partial<TopologyClass>>;
}

@Injectable()
export class TopologyExplorer {
  constructor(private readonly discovery: DiscoveryService) {}

  /** Draws all topologies and handlers of an application. @throws MillraceError with possible solutions. */
  build(application: string): StreamsBuilder {
    const found = this.find();
    const handlers = this.handlers();
    const own = found.filter((topology) => topology.application === application);
    const ownHandlers = handlers.filter((handler) => handler.application === application);
    if (own.length + ownHandlers.length === 0) {
      throw noTopology(application, [...new Set([...found, ...handlers].map((each) => each.application))]);
    }
    const builder = new StreamsBuilder();
    // By name: the order of modules must not renumber sub-topologies.
    for (const { name, wrapper } of own.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient)
        throw scopedProvider(`The topology ${name}`);
      const { instance } = wrapper;
      if (typeof instance.build !== 'function') throw noBuildMethod(name);
      instance.build(builder);
    }
    drawHandlers(
      builder,
      ownHandlers.map((handler) => handler.resolve()),
    );
    return builder;
  }

  /** Names are used once, and all that was found has its application. @throws MillraceError with possible solutions. */
  check(): void {
    const names: string[] = [];
    for (const wrapper of this.discovery.getProviders()) {
      if (wrapper.token !== APPLICATION_NAME) continue;
      const name = wrapper.instance as string;
      if (names.includes(name)) throw sameName(name);
      names.push(name);
    }
    for (const { name, application } of this.find()) {
      if (!names.includes(application)) throw unknownApplication(name, application, names);
    }
    for (const { label, application } of this.handlers()) {
      if (!names.includes(application)) throw unknownApplicationOfHandler(label, application, names);
    }
  }

  private find(): FoundTopology[] {
    const found = new Map<unknown, FoundTopology>();
    for (const wrapper of this.discovery.getProviders()) {
      const topology = asTopology(wrapper as InstanceWrapper<Partial<TopologyClass>>);
      // A class that several modules provide has an instance in each; it is drawn once.
      if (topology !== null && !found.has(wrapper.token)) found.set(wrapper.token, topology);
    }
    return [...found.values()];
  }

  private handlers(): MarkedHandler[] {
    return findHandlers([...this.discovery.getProviders(), ...this.discovery.getControllers()]);
  }
}

/** By its class, or by its token where a test has put another object in its place. */
function asTopology(wrapper: InstanceWrapper<Partial<TopologyClass>>): FoundTopology | null {
  for (const candidate of [wrapper.metatype, wrapper.token]) {
    if (typeof candidate !== 'function') continue;
    const metadata = Reflect.getMetadata(TOPOLOGY_METADATA, candidate) as
      Required<TopologyOptions> | undefined;
    if (metadata !== undefined) return { name: candidate.name, application: metadata.application, wrapper };
  }
  return null;
}
