// Keyboard shortcuts of all pages. They do not apply while the user types into a field.

import { useEffect, useEffectEvent, useRef } from 'react';
import { useLocation } from 'wouter';
import { places } from './places.ts';

export const keyList = [
  ['?', 'show these keys'],
  ['/', 'search this page'],
  ['Ctrl K', 'jump to a job, run or page'],
  ...places.map(({ key, name }) => [`g ${key}`, name.toLowerCase()] as const),
  ['[', 'collapse or expand the sidebar'],
  ['j k', 'next or previous row of a list; then the arrows work, too'],
  ['n N', 'next or previous error, or match of the search, in a log'],
  ['Enter', 'open the row; in a log, move to the line numbers, which are links'],
  ['x', 'choose the row'],
  ['r', 'run the job, or the job of the row'],
  ['Esc', 'close, or leave the search'],
] as const;

const chordMs = 1_000;

/**
 * Handles the keys of all pages. Single-character keys can be turned off, because speech input and accidental typing
 * trigger many of them (WCAG 2.1.4). Esc and all letters except g, j, k and x click the button whose `data-key` names
 * the key: in the focused row, or else on the page.
 */
export function useKeys(o: {
  readonly hasSingle: boolean;
  readonly openHelp: () => void;
  readonly openPalette: () => void;
  readonly toggleSidebar: () => void;
}): void {
  const [, navigate] = useLocation();
  const goAt = useRef(Number.NEGATIVE_INFINITY);
  const onSingle = useEffectEvent((event: KeyboardEvent): void => {
    const isChord = event.timeStamp - goAt.current < chordMs;
    goAt.current = event.key === 'g' && !isChord ? event.timeStamp : Number.NEGATIVE_INFINITY;
    const place = isChord ? places.find(({ key }) => key === event.key) : undefined;
    if (place) navigate(place.href);
    else if (event.key === '?') o.openHelp();
    else if (event.key === '[') o.toggleSidebar();
    else if (event.key === '/') focusSearch(event);
    else if (event.key === 'j' || event.key === 'k') moveInList(event.key === 'j' ? 1 : -1);
    else if (event.key === 'x') focusedRow()?.querySelector<HTMLElement>('input[type=checkbox]')?.click();
    else if (/^[a-zA-Z]$/.test(event.key)) clickByKey(event.key);
  });
  const onKey = useEffectEvent((event: KeyboardEvent): void => {
    const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      o.openPalette();
    } else if (hasModifier || event.defaultPrevented || document.querySelector(opened)) return;
    else if (isTyping(event.target)) {
      if (event.key === 'Escape' && event.target instanceof HTMLElement) event.target.blur();
    } else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && focusedRow()) {
      event.preventDefault();
      moveInList(event.key === 'ArrowDown' ? 1 : -1);
    } else if (event.key === 'Escape') clickByKey('Escape');
    else if (o.hasSingle) onSingle(event);
  });
  useEffect(() => {
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

/** While one of these elements is open, it gets the keys. */
const opened = 'dialog[open], [role=dialog], [role=alertdialog], [role=menu], [role=listbox]';

function focusedRow(): Element | null {
  const focused = document.activeElement;
  return focused?.matches('[data-row]') === true ? (focused.closest('tr, li') ?? focused) : null;
}

function clickByKey(key: string): void {
  const selector = `[data-key="${key}"]`;
  const target = focusedRow()?.querySelector<HTMLElement>(selector) ?? document.querySelector<HTMLElement>(selector);
  target?.click();
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input:not([type=checkbox]), textarea, select') !== null;
}

function focusSearch(event: KeyboardEvent): void {
  const search = document.querySelector<HTMLInputElement>('input[type=search], input[data-search]');
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
