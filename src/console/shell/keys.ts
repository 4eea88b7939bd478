// The keyboard, wherever nothing is being typed: `?`, `/`, Ctrl-K, g and a letter, j and k.

import { useEffect, useRef } from 'react';
import { useLocation } from 'wouter';

export const keyList = [
  ['?', 'these keys'],
  ['/', 'to the search of the page'],
  ['Ctrl-K', 'jobs, runs and pages by name'],
  ['g j', 'jobs'],
  ['g r', 'runs'],
  ['g s', 'system'],
  ['j, k', 'next and previous in a list'],
  ['Enter', 'open it; in a log, to the numbers of its lines, which are links'],
  ['Esc', 'close, or leave the search'],
] as const;

const places: Readonly<Record<string, string>> = { j: '/jobs', r: '/runs', s: '/system' };
const chordMs = 1_000;

/** Keys that are a single letter or sign can be turned off: who speaks to the machine, or types by accident, presses many (WCAG 2.1.4). */
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
