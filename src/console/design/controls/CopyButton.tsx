// A button that copies a text, and says that it has done so.

import { Check, Copy } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Button, IconButton } from './Button.tsx';

const noteMs = 1_500;

/** Without `isWordy`, the button shows only an icon, and its label is the tooltip. */
export function CopyButton({
  label,
  text,
  isWordy = false,
}: {
  readonly label: string;
  readonly text: string;
  readonly isWordy?: boolean;
}): ReactNode {
  const [note, setNote] = useState('');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setNote('Copied');
      setTimeout(() => setNote(''), noteMs);
    } catch {
      setNote('The browser does not allow copying on this page. Select the text and copy it.');
    }
  };
  const icon = note === 'Copied' ? Check : Copy;
  return (
    <>
      {isWordy ? (
        <Button look="quiet" size="small" icon={icon} onClick={() => void copy()}>
          {label}
        </Button>
      ) : (
        <IconButton size="small" icon={icon} label={label} onClick={() => void copy()} />
      )}
      <span role="status" className={note === 'Copied' ? 'unseen' : ''}>
        {note}
      </span>
    </>
  );
}
