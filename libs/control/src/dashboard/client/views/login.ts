// Owns the question for the token.
import { h } from './h.ts';
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export function Login({
  fault,
  onToken,
}: {
  readonly fault: string | null;
  readonly onToken: (token: string) => void;
}): VNode {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return h(
    'form',
    {
      class: 'card login',
      onSubmit: (event: Event) => {
        event.preventDefault();
        const token = field.current?.value.trim() ?? '';
        if (token !== '') onToken(token);
      },
    },
    h('h1', null, 'This server asks for a token'),
    h(
      'p',
      { class: 'muted' },
      'The one it was created with, in the option ',
      h('code', null, 'token'),
      '. It is kept until this tab is closed.',
    ),
    h('label', { for: 'token' }, 'Token'),
    h('input', {
      id: 'token',
      ref: field,
      type: 'password',
      autocomplete: 'current-password',
      spellcheck: false,
      required: true,
      'aria-invalid': fault === null ? undefined : 'true',
      'aria-describedby': fault === null ? undefined : 'token-fault',
    }),
    fault === null
      ? null
      : h(
          'p',
          { id: 'token-fault', class: 'fault', role: 'alert' },
          h('span', { 'aria-hidden': 'true' }, '✕ '),
          fault,
        ),
    h('button', { type: 'submit', class: 'primary' }, 'Open'),
  );
}
