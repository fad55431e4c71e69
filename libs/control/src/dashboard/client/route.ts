// Owns what the address of the page says behind its #: which application, which view, which node. A token given there is taken out at once.

export const VIEWS = ['overview', 'tasks', 'epochs', 'state', 'problems', 'configuration'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  /** `null`: the first there is. */
  readonly application: string | null;
  readonly view: View;
}

/** `#/orders/tasks`. What it cannot mean is the overview. */
export function parseRoute(hash: string): Route {
  const [application = '', view = ''] = hash.replace(/^#\/?/, '').split('/').map(decoded);
  return {
    application: application === '' ? null : application,
    view: (VIEWS as readonly string[]).includes(view) ? (view as View) : 'overview',
  };
}

export function formatRoute({ application, view }: Route): string {
  return `#/${encodeURIComponent(application ?? '')}/${view}`;
}

/** Of `#token=…`; `null`: it is a route. */
export function tokenOf(hash: string): string | null {
  const token = /^#token=(.+)$/.exec(hash)?.[1];
  return token === undefined ? null : decoded(token);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
