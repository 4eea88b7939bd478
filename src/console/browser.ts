// The features of the browser that pages use: the title of the tab, stored choices and saved files.

import { useEffect, useState } from 'react';
import { harmless } from './words.ts';

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${harmless(title)} – flwd`;
  }, [title]);
}

/** A choice that this browser remembers. */
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

/** Saves an answer of the API as a file. A plain link would not do, because it cannot send the token. */
export async function saveAnswer(answer: Promise<Pick<Response, 'body'>>, name: string): Promise<void> {
  const blob = await new Response((await answer).body).blob();
  // With this type, no browser shows the file as a page of this origin.
  const url = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
