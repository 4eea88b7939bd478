// What the pages have the browser do: name the tab, remember a choice, save a file.

import { useEffect, useState } from 'react';
import { harmless } from './words.ts';

/** Names the page in the browser's tab and history. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${harmless(title)} – flwd`;
  }, [title]);
}

/** A choice of whoever sits at this browser, kept by it. */
export function useKept(key: string, initial: boolean): [boolean, (value: boolean) => void] {
  const [value, setValue] = useState(() => {
    const kept = localStorage.getItem(key);
    return kept === null ? initial : kept === 'yes';
  });
  const keep = (next: boolean): void => {
    localStorage.setItem(key, next ? 'yes' : 'no');
    setValue(next);
  };
  return [value, keep];
}

/** Saves bytes of the API: read by a call, since a link could not bear the token. */
export async function saveAnswer(answer: Promise<Pick<Response, 'body'>>, name: string): Promise<void> {
  const blob = await new Response((await answer).body).blob();
  // Of a type that no browser shows as a page of this origin.
  const url = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
