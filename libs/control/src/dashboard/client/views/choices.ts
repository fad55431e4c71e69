// Owns the choice of one among a few, as a row of buttons.
import { h } from './h.ts';
import type { VNode } from 'preact';

export function Choices<Value extends string | number>({
  label,
  options,
  value,
  onChoose,
}: {
  readonly label: string;
  readonly options: readonly { readonly value: Value; readonly label: string }[];
  readonly value: Value;
  readonly onChoose: (value: Value) => void;
}): VNode {
  return h(
    'div',
    { class: 'choices', role: 'group', 'aria-label': label },
    options.map((option) =>
      h(
        'button',
        {
          type: 'button',
          key: String(option.value),
          'aria-pressed': option.value === value ? 'true' : 'false',
          onClick: () => onChoose(option.value),
        },
        option.label,
      ),
    ),
  );
}
