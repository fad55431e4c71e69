// Owns the top of the page: which application, what it is at, whether the page still hears of it, and what may be done to it.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { dateTime, duration } from '../format.ts';
import { stateBadge } from '../health.ts';
import { VIEWS } from '../route.ts';
import type { View } from '../route.ts';
import type { Picture } from '../session.ts';
import type { Theme } from '../theme.ts';
import type { ViewContext } from './context.ts';
import { ButtonIcon, Logo } from './icons.ts';
import { BadgeView } from './parts.ts';

const READ_ONLY = 'This server only shows: it was created without allowActions.';

export interface HeaderProps {
  readonly picture: Picture;
  readonly theme: Theme;
  readonly hasToken: boolean;
  readonly onTheme: () => void;
  readonly onSelect: (application: string) => void;
  readonly onLogout: () => void;
}

export function Header({ picture, theme, hasToken, onTheme, onSelect, onLogout }: HeaderProps): VNode {
  const { snapshot, applications, selected, version } = picture;
  return h(
    'header',
    { class: 'top' },
    h(
      'div',
      { class: 'brand' },
      h(Logo, null),
      h('span', null, 'Millrace'),
      version === '' ? null : h('small', { title: 'Version of millrace' }, version),
    ),
    applications.length === 0
      ? null
      : h(
          'label',
          { class: 'picker' },
          h('span', { class: 'hidden' }, 'Application'),
          h(
            'select',
            {
              'aria-label': 'Application',
              value: selected ?? '',
              onChange: (event: Event) => onSelect((event.target as HTMLSelectElement).value),
            },
            applications.map((application) => {
              const { word } = stateBadge(application);
              return h(
                'option',
                { value: application.applicationId, key: application.applicationId },
                applications.length === 1
                  ? application.applicationId
                  : `${application.applicationId} · ${word}`,
              );
            }),
          ),
        ),
    snapshot === null ? null : h(BadgeView, { badge: stateBadge(snapshot) }),
    snapshot === null
      ? null
      : h(
          'div',
          { class: 'where' },
          h('span', { title: 'Instance' }, snapshot.instanceId ?? 'not started'),
          snapshot.startedAt === null
            ? null
            : h(
                'span',
                { title: `Started ${dateTime(snapshot.startedAt)}` },
                `up ${duration(Math.max(0, snapshot.at - snapshot.startedAt))}`,
              ),
        ),
    h(
      'div',
      { class: 'top-end' },
      h(Connection, { picture }),
      hasToken ? h('button', { type: 'button', class: 'quiet', onClick: onLogout }, 'Log out') : null,
      h(
        'button',
        {
          type: 'button',
          class: 'quiet square',
          onClick: onTheme,
          'aria-label': `Theme: ${theme}. Change it`,
          title: `Theme: ${theme}`,
        },
        h(ButtonIcon, { name: theme === 'light' ? 'sun' : theme === 'dark' ? 'moon' : 'auto' }),
      ),
    ),
  );
}

function Connection({ picture: { phase } }: { readonly picture: Picture }): VNode {
  const [sign, word, tone] =
    phase === 'open'
      ? ['●', 'live', 'good']
      : phase === 'lost'
        ? ['✕', 'reconnecting', 'bad']
        : phase === 'login'
          ? ['○', 'locked', 'calm']
          : ['◐', 'connecting', 'busy'];
  return h(
    'span',
    { class: `connection tone-${tone}`, role: 'status' },
    h('span', { class: 'sign', 'aria-hidden': 'true' }, sign),
    word,
  );
}

const VIEW_TITLES: Readonly<Record<View, string>> = {
  overview: 'Overview',
  tasks: 'Tasks',
  epochs: 'Epochs',
  state: 'State',
  problems: 'Problems',
  configuration: 'Configuration',
};

export function Navigation({ context, view }: { readonly context: ViewContext; readonly view: View }): VNode {
  const { snapshot } = context;
  const counts: Partial<Record<View, number>> = {
    tasks: snapshot.tasks.length,
    problems: snapshot.issues.length,
  };
  return h(
    'div',
    { class: 'navigation' },
    h(
      'nav',
      { 'aria-label': 'Views' },
      VIEWS.map((name) => {
        const shown = counts[name] ?? 0;
        return h(
          'a',
          {
            key: name,
            href: `#/${encodeURIComponent(snapshot.applicationId)}/${name}`,
            'aria-current': name === view ? 'page' : undefined,
          },
          VIEW_TITLES[name],
          shown === 0 ? null : h('span', { class: 'count' }, shown),
        );
      }),
    ),
    h(Actions, { context }),
  );
}

function Actions({ context }: { readonly context: ViewContext }): VNode {
  const { snapshot, picture } = context;
  const { paused, state, applicationId, instanceId } = snapshot;
  const isLive = !['CREATED', 'PENDING_SHUTDOWN', 'NOT_RUNNING', 'PENDING_ERROR', 'ERROR'].includes(state);
  const why = !picture.actionsAllowed
    ? READ_ONLY
    : picture.phase !== 'open'
      ? 'There is no connection to the server.'
      : !isLive
        ? `The application is ${state}.`
        : null;
  const button = (label: string, className: string, onClick: () => void): VNode =>
    h(
      'button',
      // Not `disabled`: a reason that cannot be focused cannot be read.
      {
        type: 'button',
        class: className,
        'aria-disabled': why === null ? undefined : 'true',
        title: why ?? undefined,
        'aria-describedby': why === null ? undefined : 'why-no-actions',
        onClick: why === null ? onClick : undefined,
      },
      label,
    );
  const where = `“${applicationId}”, instance ${instanceId ?? '?'}`;
  return h(
    'div',
    { class: 'actions' },
    why === null
      ? null
      : h(
          'span',
          { id: 'why-no-actions', class: picture.actionsAllowed ? 'hidden' : 'read-only' },
          picture.actionsAllowed ? why : 'read only',
        ),
    paused
      ? button('Resume', 'primary', () => context.act('resume', 'Resumed.'))
      : button('Pause', '', () =>
          context.ask({
            title: 'Pause this instance?',
            text: `${where} commits what it has processed and then processes nothing until it is resumed. It keeps its tasks; other instances go on.`,
            action: 'Pause',
            isGrave: false,
            onYes: () => context.act('pause', 'Paused.'),
          }),
        ),
    button('Stop', '', () =>
      context.ask({
        title: 'Stop this instance?',
        text: `${where} commits, hands its tasks back and leaves its group. It cannot be started again from here.`,
        action: 'Stop',
        isGrave: true,
        onYes: () => context.act('stop', 'It is stopping.'),
      }),
    ),
  );
}
