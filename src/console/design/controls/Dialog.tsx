// Dialogs. A dialog keeps the focus while it is open, closes on Esc, and then returns the focus. A caller opens a
// dialog by rendering it.

import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import { Button, IconButton } from './Button.tsx';
import styles from './Dialog.module.css';

export function Dialog({
  title,
  close,
  size = 'normal',
  actions,
  children,
}: {
  readonly title: string;
  readonly close: () => void;
  readonly size?: 'normal' | 'wide';
  /** The buttons at the bottom. The main button is the last. */
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}): ReactNode {
  const content = useRef<HTMLDivElement>(null);
  return (
    <Base.Root open onOpenChange={(isOpen) => !isOpen && close()}>
      <Base.Portal>
        <Base.Backdrop className={styles.veil} />
        <Base.Popup
          className={styles.dialog}
          data-size={size}
          // By default, the close button would get the focus, and its tooltip would take the first Esc.
          initialFocus={() =>
            content.current?.querySelector<HTMLElement>('input, textarea, select') ??
            content.current?.parentElement ??
            true
          }
        >
          <header className={styles.head}>
            <Base.Title className={styles.title}>{title}</Base.Title>
            <IconButton icon={X} label="Close" size="small" onClick={close} />
          </header>
          <div className={styles.content} ref={content}>
            {children}
          </div>
          {actions !== undefined && <footer className={styles.actions}>{actions}</footer>}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** Asks for confirmation of an action that, for example, stops something or cannot be undone. */
export function Confirm(o: {
  readonly title: string;
  /** What the action does. */
  readonly text: ReactNode;
  readonly yes: string;
  readonly no: string;
  /** `primary` for an action that starts something. */
  readonly look?: 'danger-filled' | 'primary';
  readonly confirm: () => void;
  readonly close: () => void;
}): ReactNode {
  return (
    <Dialog
      title={o.title}
      close={o.close}
      actions={
        <>
          <Button onClick={o.close}>{o.no}</Button>
          <Button
            look={o.look ?? 'danger-filled'}
            onClick={() => {
              o.close();
              o.confirm();
            }}
          >
            {o.yes}
          </Button>
        </>
      }
    >
      <p>{o.text}</p>
    </Dialog>
  );
}
