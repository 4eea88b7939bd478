// A click anywhere on a row acts on the element with `data-row` in it, as Enter does.

import type { MouseEvent } from 'react';

const acting = 'a, button, input, label, select, textarea, summary';
const middleButton = 1;

export const rowLink = { onClick: openRow, onAuxClick: openRow };

function openRow(event: MouseEvent<HTMLElement>): void {
  const { target, currentTarget: row, button, ctrlKey, metaKey, shiftKey } = event;
  const isMiddle = button === middleButton;
  if ((button !== 0 && !isMiddle) || event.defaultPrevented) return;
  // React also reports clicks in a dialog or menu that a cell has opened.
  if (!(target instanceof Element) || !row.contains(target) || target.closest(acting)) return;
  if (getSelection()?.isCollapsed === false) return;
  const link = row.querySelector<HTMLElement>('[data-row]');
  if (!link || (isMiddle && !link.matches('a'))) return;
  // Scripts cannot click with the middle button. Their clicks open a new tab only with Ctrl, or with Cmd on a Mac.
  const keys = { ctrlKey: ctrlKey || isMiddle, metaKey: metaKey || isMiddle, shiftKey };
  link.dispatchEvent(new globalThis.MouseEvent('click', { bubbles: true, cancelable: true, ...keys }));
}
