// Types of browser-road.mjs, for specs.
export type BrowserRoad =
  | { readonly path: string; readonly missing?: undefined }
  | { readonly path?: undefined; readonly missing: string };

export function findBrowser(): BrowserRoad;
export function ensureBrowser(say?: (text: string) => void): BrowserRoad;
