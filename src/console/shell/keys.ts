// Keyboard shortcuts of all pages. They do not apply while the user types into a field.

import { useEffect, useRef } from 'react';
import { useLocation } from 'wouter';

export const keyList = [
  ['?', 'show these keys'],
  ['/', 'search this page'],
  ['Ctrl-K', 'go to a job, run or page'],
  ['g j', 'jobs'],
  ['g r', 'runs'],
  ['g s', 'system'],
  ['j, k', 'next or previous row of a list'],
  ['Enter', 'open the row; in a log, move to the line numbers, which are links'],
  ['Esc', 'close, or leave the search'],
] as const;

const places: Readonly<Record<string, string>> = { j: '/jobs', r: '/runs', s: '/system' };
const chordMs = 1_000;

/** Single-character keys can be turned off: speech input and accidental typing trigger many of them (WCAG 2.1.4). */
export function useKeys(o: {
  readonly hasSingle: boolean;
  readonly openHelp: () => void;
  readonly openPalette: () => void;
}): void {
  const [, navigate] = useLocation();
  const goAt = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        o.openPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
      if (isTyping(event.target)) {
        if (event.key === 'Escape' && event.target instanceof HTMLElement) event.target.blur();
        return;
      }
      if (!o.hasSingle) return;
      const isChord = event.timeStamp - goAt.current < chordMs;
      goAt.current = event.key === 'g' && !isChord ? event.timeStamp : Number.NEGATIVE_INFINITY;
      const place = isChord ? places[event.key] : undefined;
      if (place !== undefined) navigate(place);
      else if (event.key === '?') o.openHelp();
      else if (event.key === '/') focusSearch(event);
      else if (event.key === 'j' || event.key === 'k') moveInList(event.key === 'j' ? 1 : -1);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input:not([type=checkbox]), textarea, select') !== null;
}

function focusSearch(event: KeyboardEvent): void {
  const search = document.querySelector<HTMLInputElement>('input[type=search]');
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select();
}

function moveInList(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  const focused = document.activeElement;
  const at = focused instanceof HTMLElement ? rows.indexOf(focused) : -1;
  const next = rows[at < 0 ? (by === 1 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}
