// Owns the list of those who add routes of their own to each application: queries, for one. An extension is called once per application,
// with a server whose paths begin at /v1/applications/<application.id>; who may ask is checked before its routes are.
import type { FastifyInstance } from 'fastify';
import type { StreamsApplication } from '#libs/millrace';
import type { ControlSettings } from './options.ts';
import { registerQueryRoutes } from './queries/index.ts';

export type ExtensionOptions = Pick<ControlSettings, 'allowActions' | 'clock' | 'logger' | 'token' | 'tls'>;

export type Extension = (
  server: FastifyInstance,
  application: StreamsApplication,
  options: ExtensionOptions,
) => void | Promise<void>;

export const EXTENSIONS: readonly Extension[] = [registerQueryRoutes];
