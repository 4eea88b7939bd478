// A button that copies a text and confirms it.

import { type ReactNode, useState } from 'react';

export function CopyButton({ label, text }: { readonly label: string; readonly text: string }): ReactNode {
  const [note, setNote] = useState('');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setNote('Copied.');
    } catch {
      setNote('The browser does not allow copying on this page.');
    }
  };
  return (
    <>
      <button type="button" onClick={() => void copy()}>
        {label}
      </button>
      <span role="status" className="quiet">
        {note}
      </span>
    </>
  );
}
