// Owns the view of problems: failures, records that were left out, dead letters, retries. Each code leads to its page.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { clockTime, count, dateTime, duration, grouped } from '../format.ts';
import { toldOf } from '../issues.ts';
import type { DropCount, IssueFigures } from '../wire.ts';
import type { ViewContext } from './context.ts';
import { CodeButton, Facts, Section, Table } from './parts.ts';

const KINDS: Readonly<
  Record<IssueFigures['kind'], { readonly word: string; readonly sign: string; readonly tone: string }>
> = {
  dropped: { word: 'dropped', sign: '▽', tone: 'warn' },
  deadLetter: { word: 'dead letter', sign: '✉', tone: 'warn' },
  recovered: { word: 'recovered', sign: '↻', tone: 'busy' },
  heldBack: { word: 'held back', sign: '⏸', tone: 'warn' },
  workerDied: { word: 'worker died', sign: '✕', tone: 'bad' },
};

export function ProblemsView({ context }: { readonly context: ViewContext }): VNode {
  const { snapshot, showCode } = context;
  const { issues, drops, figures, loop } = snapshot;
  const failures = figures?.failures;
  return h(
    'div',
    { class: 'stack' },
    h(
      Section,
      {
        title: 'Last problems',
        id: 'issues',
        aside:
          issues.length === 0 ? undefined : 'Those alike within a second are one; the last 100 are kept.',
      },
      h(Table<IssueFigures>, {
        label: 'Last problems',
        rows: [...issues].reverse(),
        keyOf: ({ at, code, where, kind }) => `${at} ${kind} ${code} ${where}`,
        empty: 'Nothing has failed and no record was left out since the start.',
        columns: [
          { title: 'At', cell: ({ at }) => h('span', { class: 'when' }, dateTime(at)) },
          {
            title: 'What',
            cell: ({ kind, count: times }) => {
              const { word, sign, tone } = KINDS[kind];
              return h(
                'span',
                { class: `badge tone-${tone}` },
                h('span', { class: 'sign', 'aria-hidden': 'true' }, sign),
                times > 1 ? `${word} × ${grouped(times)}` : word,
              );
            },
          },
          {
            title: 'Where',
            cell: ({ where }) => h('span', { class: 'name' }, where === '' ? 'worker' : where),
          },
          { title: 'Code', cell: ({ code }) => h(CodeButton, { code, onShow: showCode }) },
          { title: 'Message', cell: (issue) => h(Message, { issue }) },
        ],
      }),
    ),
    h(
      Section,
      { title: 'Records left out', id: 'drops' },
      h(Table<DropCount>, {
        label: 'Records left out',
        rows: [...drops].sort((a, b) => b.records - a.records),
        keyOf: ({ kind, code, where }) => `${kind} ${code} ${where}`,
        empty: 'None: every record was processed.',
        columns: [
          { title: 'Records', isNumber: true, cell: ({ records }) => h('b', null, grouped(records)) },
          {
            title: 'What became of them',
            cell: ({ kind }) => (kind === 'deadLetter' ? '✉ dead letters' : '▽ dropped'),
          },
          { title: 'Where', cell: ({ where }) => h('span', { class: 'name' }, where) },
          { title: 'Code', cell: ({ code }) => h(CodeButton, { code, onShow: showCode }) },
        ],
      }),
    ),
    h(
      'div',
      { class: 'pair' },
      failures === undefined
        ? null
        : h(
            Section,
            { title: 'Retries', id: 'retries' },
            h(Facts, {
              rows: [
                ['tried again in place', grouped(failures.retriedInPlace)],
                ['sent to retry topics', grouped(failures.sentToRetryTopics)],
                ['taken from retry topics', grouped(failures.takenFromRetryTopics)],
                ['dead-lettered', grouped(failures.deadLettered)],
                ['skipped', grouped(failures.skipped)],
                [
                  'tasks that wait to try again',
                  failures.waiting.length === 0 ? 'none' : failures.waiting.join(', '),
                ],
                [
                  'held back until due',
                  failures.delayed.length === 0
                    ? 'none'
                    : failures.delayed
                        .map(
                          ({ topic, partition, dueAt }) => `${topic} ${partition} until ${clockTime(dueAt)}`,
                        )
                        .join(', '),
                ],
              ],
            }),
          ),
      h(
        Section,
        { title: 'Worker', id: 'worker' },
        h(Facts, {
          rows: [
            ['replaced', figures === null ? '–' : count(figures.workerReplacements)],
            [
              'last failure',
              (figures?.lastWorkerFailure ?? null) === null
                ? 'none'
                : h(
                    'span',
                    null,
                    h(CodeButton, { code: figures!.lastWorkerFailure!.code, onShow: showCode }),
                    ` ${figures!.lastWorkerFailure!.message}`,
                  ),
            ],
            ['since its loop turned', duration(figures?.sinceTurnMs)],
            [
              'longest turn',
              loop.longestTurnAt === null
                ? '–'
                : `${duration(loop.longestTurnMs)} at ${dateTime(loop.longestTurnAt)}`,
            ],
            ['transactional id', snapshot.transactionalId ?? '–'],
          ],
        }),
      ),
    ),
  );
}

/** What stands beside it is not said again, and the remedy apart. */
function Message({ issue }: { readonly issue: IssueFigures }): VNode {
  const { text, remedy } = toldOf(issue);
  return h(
    'span',
    { class: 'message' },
    text,
    remedy === null ? null : h('span', { class: 'remedy' }, remedy),
  );
}
