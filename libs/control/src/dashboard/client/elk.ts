// Owns the layout engine: elkjs, whose layouts run in a worker beside the page. Made when it is first needed.
import type { ElkLike } from './graph-layout.ts';

/** What the script vendor/elk-api.js brings. */
interface ElkGlobal {
  readonly ELK: new (options: { readonly workerFactory: () => Worker }) => ElkLike;
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string };
}

let engine: ElkLike | null = null;

export function elk(): ElkLike {
  if (engine !== null) return engine;
  const { ELK } = globalThis as unknown as ElkGlobal;
  engine = new ELK({ workerFactory: () => new Worker(workerUrl()) });
  return engine;
}

/** The one address that becomes code here; browsers that know trusted types let no other. */
function workerUrl(): string {
  const url = new URL('./vendor/elk-worker.js', import.meta.url).href;
  const { trustedTypes } = globalThis as unknown as { readonly trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return url;
  return trustedTypes.createPolicy('millrace', { createScriptURL: () => url }).createScriptURL(url);
}
