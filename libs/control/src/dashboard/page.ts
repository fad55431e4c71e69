// Owns the document of the dashboard and what a browser may do with it: scripts and styles of this server alone, nothing inline but the
// import map, whose digest is named, no other host, no frame around it, no text that becomes markup or code.
import { createHash } from 'node:crypto';
import { IMPORTS } from './assets.ts';
import type { DashboardAssets } from './assets.ts';

export interface Page {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function renderPage({ version, modules, entry }: DashboardAssets): Page {
  const at = (name: string): string => `./assets/${version}/${name}`;
  const imports = JSON.stringify({
    imports: Object.fromEntries(Object.entries(IMPORTS).map(([bare, name]) => [bare, at(name)])),
  });
  const preloads = [...Object.values(IMPORTS), ...modules]
    .map((name) => `<link rel="modulepreload" href="${at(name)}" />`)
    .join('\n    ');
  const html = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <meta name="referrer" content="no-referrer" />
    <title>Millrace</title>
    <link rel="icon" type="image/svg+xml" href="${at('icon.svg')}" />
    <link rel="stylesheet" href="${at('vendor/uplot.css')}" />
    <link rel="stylesheet" href="${at('style.css')}" />
    <script type="importmap">${imports}</script>
    ${preloads}
    <script src="${at('vendor/elk-api.js')}" defer></script>
    <script type="module" src="${at(entry)}"></script>
  </head>
  <body>
    <div id="app"></div>
    <noscript>The dashboard needs JavaScript. The same data is at /v1/applications, see /openapi.json.</noscript>
  </body>
</html>
`;
  const digest = createHash('sha256').update(imports).digest('base64');
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'sha256-${digest}'`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types millrace',
  ].join('; ');
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'cache-control': 'no-cache',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    },
  };
}
