// Types of browser-road.mjs, for specs.
export interface BrowserRoad {
  readonly path?: string;
  readonly missing?: string;
}

export function findBrowser(): BrowserRoad;
export function ensureBrowser(say?: (text: string) => void): BrowserRoad;
