// Owns the page as a whole: which view is shown, what lies before it, and the words said when something was done.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiError } from '../api.ts';
import { later, wallClock } from '../browser-time.ts';
import { duration } from '../format.ts';
import { stateBadge } from '../health.ts';
import { toldOf } from '../issues.ts';
import { formatRoute, parseRoute } from '../route.ts';
import type { Route, View } from '../route.ts';
import type { Picture, Session } from '../session.ts';
import { applyTheme, nextTheme, storedTheme } from '../theme.ts';
import { ConfigurationView } from './configuration.ts';
import type { ViewContext } from './context.ts';
import { CodeDialog, QuestionDialog } from './dialog.ts';
import type { Question } from './dialog.ts';
import { EpochsView } from './epochs.ts';
import { Header, Navigation } from './header.ts';
import { Login } from './login.ts';
import { Overview } from './overview.ts';
import { CodeButton } from './parts.ts';
import { ProblemsView } from './problems.ts';
import { StateView } from './state.ts';
import { TasksView } from './tasks.ts';

const SAID_MS = 6_000;

interface Said {
  readonly text: string;
  readonly isFault: boolean;
}

export function App({ session }: { readonly session: Session }): VNode {
  const [picture, setPicture] = useState<Picture>(session.picture);
  const [route, setRoute] = useState<Route>(() => parseRoute(location.hash));
  const [theme, setTheme] = useState(storedTheme);
  const [question, setQuestion] = useState<Question | null>(null);
  const [code, setCode] = useState<{ readonly code: string; readonly text: string | null } | null>(null);
  const [said, setSaid] = useState<Said | null>(null);

  useEffect(() => session.onChange(() => setPicture(session.picture)), [session]);
  useEffect(() => applyTheme(theme), [theme]);
  const title = titleOf(picture);
  useEffect(() => {
    document.title = title;
  }, [title]);
  useEffect(() => {
    // Where the row of views is wider than the screen.
    document.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [route.view, picture.snapshot === null]);
  useEffect(() => {
    const onHash = (): void => {
      const next = parseRoute(location.hash);
      setRoute(next);
      if (next.application !== null && next.application !== session.picture.selected)
        session.open(next.application);
    };
    addEventListener('hashchange', onHash);
    return () => removeEventListener('hashchange', onHash);
  }, [session]);
  useEffect(() => (said === null ? undefined : later(SAID_MS, () => setSaid(null))), [said]);

  const showCode = useCallback(
    (wanted: string) => {
      setCode({ code: wanted, text: null });
      session.api.text(`errors/${encodeURIComponent(wanted)}`).then(
        (text) => setCode((shown) => (shown?.code === wanted ? { code: wanted, text } : shown)),
        () =>
          setCode((shown) =>
            shown?.code === wanted ? { code: wanted, text: 'There is no page about this code here.' } : shown,
          ),
      );
    },
    [session],
  );

  const { snapshot, selected } = picture;
  const go = (view: View): void => {
    location.hash = formatRoute({ application: selected, view });
  };
  const context: ViewContext | null =
    snapshot === null
      ? null
      : {
          session,
          picture,
          snapshot,
          topology: picture.topology,
          ask: setQuestion,
          showCode,
          go,
          act(path, done, body) {
            session.api
              .post(`v1/applications/${encodeURIComponent(snapshot.applicationId)}/${path}`, body)
              .then(
                () => setSaid({ text: done, isFault: false }),
                (error: unknown) => setSaid({ text: messageOf(error), isFault: true }),
              );
          },
        };

  return h(
    'div',
    { class: 'page' },
    h('a', { class: 'skip', href: '#content', onClick: skipToContent }, 'Skip to the content'),
    h(Header, {
      picture,
      theme,
      hasToken: session.api.hasToken && picture.phase !== 'login',
      // By what it is then: two clicks may come before one drawing.
      onTheme: () => setTheme(nextTheme),
      onSelect: (application) => {
        location.hash = formatRoute({ application, view: route.view });
      },
      onLogout: () => session.logout(),
    }),
    context === null || picture.phase === 'login' ? null : h(Navigation, { context, view: route.view }),
    h(
      'main',
      { id: 'content', tabIndex: -1 },
      h(Banners, { picture, showCode }),
      picture.phase === 'login'
        ? h(Login, { fault: picture.fault, onToken: (token) => session.login(token) })
        : context === null
          ? h(
              'p',
              { class: 'empty waiting' },
              picture.phase === 'lost' ? 'Waiting for the server …' : 'Connecting …',
            )
          : viewOf(route.view, context),
    ),
    h(
      'div',
      { class: 'said', role: 'status', 'aria-live': 'polite' },
      said === null
        ? null
        : h(
            'p',
            { class: said.isFault ? 'fault' : 'done' },
            h('span', { 'aria-hidden': 'true' }, said.isFault ? '✕ ' : '✓ '),
            said.text,
          ),
    ),
    question === null ? null : h(QuestionDialog, { question, onClose: () => setQuestion(null) }),
    code === null ? null : h(CodeDialog, { ...code, onClose: () => setCode(null) }),
  );
}

function viewOf(view: View, context: ViewContext): VNode {
  switch (view) {
    case 'overview':
      return h(Overview, { context });
    case 'tasks':
      return h(TasksView, { context });
    case 'epochs':
      return h(EpochsView, { context });
    case 'state':
      return h(StateView, { context });
    case 'problems':
      return h(ProblemsView, { context });
    case 'configuration':
      return h(ConfigurationView, { context });
  }
}

function Banners({
  picture,
  showCode,
}: {
  readonly picture: Picture;
  readonly showCode: (code: string) => void;
}): VNode {
  const { phase, snapshot, fault, lostSince, topologyFault } = picture;
  const error = snapshot?.error ?? null;
  return h(
    'div',
    { class: 'banners' },
    phase === 'lost'
      ? h(
          'div',
          { class: 'banner tone-warn', role: 'alert', 'data-banner': 'lost' },
          h('strong', null, h('span', { 'aria-hidden': 'true' }, '▲ '), fault ?? 'The connection is lost.'),
          ' Trying again',
          snapshot === null || lostSince === null
            ? ' …'
            : `. What is shown is as of ${duration(Math.max(0, wallClock() - lostSince))} ago or older.`,
        )
      : null,
    error === null || phase === 'login'
      ? null
      : h(
          'div',
          { class: 'banner tone-bad', role: 'alert', 'data-banner': 'error' },
          h('strong', null, h('span', { 'aria-hidden': 'true' }, '✕ '), 'The application has failed. '),
          h(CodeButton, { code: error.code, onShow: showCode }),
          h('p', null, toldOf(error).text),
          h('p', { class: 'muted' }, toldOf(error).remedy),
        ),
    // Of an application that failed the reason is said already.
    topologyFault === null || error !== null || phase === 'login'
      ? null
      : h(
          'div',
          { class: 'banner tone-bad', role: 'alert' },
          h('strong', null, 'The topology cannot be built. '),
          h('p', null, topologyFault),
        ),
  );
}

/** Of a tab among others: what it is about, and whether to look at it. */
function titleOf({ snapshot, phase }: Picture): string {
  if (snapshot === null || phase === 'login') return 'Millrace';
  const { sign, word } = stateBadge(snapshot);
  return `${phase === 'lost' ? '✕ no connection' : `${sign} ${word}`} · ${snapshot.applicationId} · Millrace`;
}

function messageOf(error: unknown): string {
  return error instanceof ApiError ? error.message : 'The server cannot be reached.';
}

function skipToContent(event: Event): void {
  // The address is the route's.
  event.preventDefault();
  document.getElementById('content')?.focus();
}
