// The browser's own dialog: it keeps the focus, closes on Esc, and returns the focus.

import { type ReactNode, useEffect, useRef } from 'react';

function Dialog(o: { readonly title: string; readonly close: () => void; readonly children: ReactNode }): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    // Without this the close button has the focus.
    shown?.querySelector('input')?.focus();
    return () => shown?.close();
  }, []);
  return (
    <dialog ref={dialog} aria-label={o.title} onClose={o.close}>
      <header className="row">
        <h2>{o.title}</h2>
        <button type="button" onClick={o.close} aria-label="Close">
          ✕
        </button>
      </header>
      {o.children}
    </dialog>
  );
}

/** Asks for confirmation of an action that cannot be undone. */
export function Confirm(o: {
  readonly title: string;
  /** What the action does. */
  readonly text: string;
  readonly yes: string;
  readonly no: string;
  readonly confirm: () => void;
  readonly close: () => void;
}): ReactNode {
  return (
    <Dialog title={o.title} close={o.close}>
      <p>{o.text}</p>
      <div className="actions">
        <button
          type="button"
          className="danger"
          onClick={() => {
            o.close();
            o.confirm();
          }}
        >
          {o.yes}
        </button>
        <button type="button" onClick={o.close}>
          {o.no}
        </button>
      </div>
    </Dialog>
  );
}
