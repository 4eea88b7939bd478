// Choices of whoever sits at this browser, kept by it.

import { useState } from 'react';

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
