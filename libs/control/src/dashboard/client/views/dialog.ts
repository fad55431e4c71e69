// Owns what is asked or shown in front of the page: questions before an action, and the page of an error code. The browser's own dialog
// keeps the focus inside and closes on Escape.
import { h } from './h.ts';
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { parseMarkdown } from '../markdown.ts';
import type { Block, Inline } from '../markdown.ts';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children?: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const { current } = dialog;
    current?.showModal();
    return () => current?.close();
  }, []);
  return h(
    'dialog',
    {
      ref: dialog,
      'aria-labelledby': 'dialog-title',
      onClose,
      onClick: (event: MouseEvent) => {
        if (event.target === dialog.current) onClose();
      },
    },
    h('div', { class: 'dialog-body' }, h('h2', { id: 'dialog-title' }, title), children),
  );
}

export interface Question {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  readonly isGrave: boolean;
  readonly choice?: { readonly label: string; readonly note: string };
  readonly onYes: (choice: boolean) => void;
}

export function QuestionDialog({
  question,
  onClose,
}: {
  readonly question: Question;
  readonly onClose: () => void;
}): VNode {
  const choice = useRef<HTMLInputElement>(null);
  const { title, text, action, isGrave } = question;
  return h(
    Dialog,
    { title, onClose },
    h('p', null, text),
    question.choice === undefined
      ? null
      : h(
          'label',
          { class: 'choice' },
          h('input', { type: 'checkbox', ref: choice }),
          h('span', null, question.choice.label, h('small', null, question.choice.note)),
        ),
    h(
      'div',
      { class: 'dialog-actions' },
      h('button', { type: 'button', onClick: onClose }, 'Cancel'),
      h(
        'button',
        {
          type: 'button',
          class: isGrave ? 'grave' : 'primary',
          onClick: () => {
            question.onYes(choice.current?.checked === true);
            onClose();
          },
        },
        action,
      ),
    ),
  );
}

/** `text` `null`: it is on its way. */
export function CodeDialog({
  code,
  text,
  onClose,
}: {
  readonly code: string;
  readonly text: string | null;
  readonly onClose: () => void;
}): VNode {
  return h(
    Dialog,
    { title: code, onClose },
    text === null
      ? h('p', { class: 'muted' }, 'Loading …')
      : h('div', { class: 'prose' }, parseMarkdown(text).map(blockView)),
    h(
      'div',
      { class: 'dialog-actions' },
      h('button', { type: 'button', class: 'primary', onClick: onClose }, 'Close'),
    ),
  );
}

function blockView(block: Block): VNode | null {
  switch (block.kind) {
    case 'heading':
      // The dialog has the title already.
      return block.level === 1 ? null : h('h3', null, block.inlines.map(inlineView));
    case 'paragraph':
      return h('p', null, block.inlines.map(inlineView));
    case 'list':
      return h(
        block.isOrdered ? 'ol' : 'ul',
        null,
        block.items.map((inlines) => h('li', null, inlines.map(inlineView))),
      );
    case 'code':
      return h('pre', null, block.text);
  }
}

function inlineView({ kind, text }: Inline): VNode | string {
  if (kind === 'text') return text;
  return h(kind === 'code' ? 'code' : kind === 'strong' ? 'strong' : 'em', null, text);
}
