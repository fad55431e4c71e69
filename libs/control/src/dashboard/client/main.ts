// Owns the start of the page.
import { render } from 'preact';
import { Api } from './api.ts';
import { formatRoute, parseRoute, tokenOf } from './route.ts';
import { Session } from './session.ts';
import { applyTheme, storedTheme } from './theme.ts';
import { App } from './views/app.ts';
import { h } from './views/h.ts';

applyTheme(storedTheme());
const token = tokenOf(location.hash);
if (token !== null) {
  // Out of the address and the history before anything else happens.
  history.replaceState(null, '', formatRoute({ application: null, view: 'overview' }));
}
const session = new Session(new Api(new URL('.', location.href).href, token));
render(h(App, { session }), document.getElementById('app')!);
session.open(parseRoute(location.hash).application);
