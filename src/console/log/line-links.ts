// The links on the line numbers of a log or a file.

import type { KeyboardEvent, MouseEvent } from 'react';
import { firstInSight } from './log-scroll.ts';

/**
 * Returns the line whose number was clicked. With a modifier key, returns null, and the browser follows the link
 * itself.
 */
export function lineOfClick(event: MouseEvent<HTMLElement>): number | null {
  const line = event.target instanceof HTMLElement ? event.target.dataset.line : undefined;
  if (line === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return null;
  event.preventDefault();
  return Number(line);
}

/** Enter moves the focus to the number of the first visible line, and the arrows move it from number to number. */
export function moveToLink(event: KeyboardEvent<HTMLElement>): boolean {
  const { currentTarget: pane, target, key } = event;
  const row = target instanceof HTMLElement ? target.closest('[data-seq]') : null;
  let next: Element | null | undefined = null;
  if (key === 'Enter' && !row) next = firstInSight(pane);
  else if (key === 'ArrowUp') next = row?.previousElementSibling;
  else if (key === 'ArrowDown') next = row?.nextElementSibling;
  const link = next?.querySelector('a');
  link?.focus();
  return link !== null && link !== undefined;
}
