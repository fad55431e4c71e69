// Owns the view of the configuration, as the server shows it: secrets are not in what it sends.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { settingsOf } from '../flatten.ts';
import type { Setting } from '../flatten.ts';
import type { ViewContext } from './context.ts';
import { Section, Table } from './parts.ts';

export function ConfigurationView({ context: { picture } }: { readonly context: ViewContext }): VNode {
  const [filter, setFilter] = useState('');
  const wanted = filter.trim().toLowerCase();
  const all = settingsOf(picture.configuration ?? {});
  const shown = all.filter(
    ({ path, value }) => path.toLowerCase().includes(wanted) || value.toLowerCase().includes(wanted),
  );
  return h(
    Section,
    {
      title: 'Configuration',
      id: 'configuration',
      aside: h('input', {
        type: 'search',
        placeholder: 'Filter',
        'aria-label': 'Filter the configuration',
        value: filter,
        onInput: (event: Event) => setFilter((event.target as HTMLInputElement).value),
      }),
    },
    h(Table<Setting>, {
      label: 'Configuration',
      rows: shown,
      keyOf: ({ path }) => path,
      empty: all.length === 0 ? 'The configuration is not known.' : 'No option is like that.',
      columns: [
        { title: 'Option', cell: ({ path }) => h('code', null, path) },
        {
          title: 'Value',
          cell: ({ value, readable, isHidden }) =>
            isHidden
              ? h('span', { class: 'muted' }, 'set, not shown')
              : h(
                  'span',
                  { class: 'name' },
                  value,
                  readable === '' ? null : h('span', { class: 'muted' }, ` · ${readable}`),
                ),
        },
      ],
    }),
  );
}
