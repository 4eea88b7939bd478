// The dialog that shows a new token or address, which cannot be shown again.

import type { ReactNode } from 'react';
import { Button } from '../design/controls/Button.tsx';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { Dialog } from '../design/controls/Dialog.tsx';
import styles from './Admin.module.css';

export function ShownOnce(o: {
  readonly title: string;
  readonly what: 'token' | 'address';
  readonly text: string;
  readonly close: () => void;
  readonly children?: ReactNode;
}): ReactNode {
  const actions = (
    <Button look="primary" onClick={o.close}>
      I have copied it
    </Button>
  );
  return (
    <Dialog title={o.title} close={o.close} actions={actions}>
      <div className={styles.form}>
        <p>Copy the {o.what} now: it cannot be shown again.</p>
        <p className={styles.shown}>
          <code>{o.text}</code>
          <CopyButton label={`Copy the ${o.what}`} text={o.text} />
        </p>
        {o.children}
      </div>
    </Dialog>
  );
}
