// Asks for a token. It opens above the page, which keeps what the user has typed.

import { Dialog as Base } from '@base-ui/react/dialog';
import { Fragment, type ReactNode, useRef, useState } from 'react';
import { Button } from '../design/controls/Button.tsx';
import dialog from '../design/controls/Dialog.module.css';
import { Input } from '../design/controls/Input.tsx';
import { useSession } from '../session/session.tsx';
import { WithCode } from '../widgets/Notes.tsx';
import { Logo } from './Logo.tsx';
import styles from './SignIn.module.css';

/** docs/console.md lists these scopes, too. */
const scopesToLook = 'jobs:read,runs:read,artifacts:read';
const scopesToOperate = 'jobs:read,runs:write,runs:approve,artifacts:read';

export function SignIn({ refusal }: { readonly refusal: string }): ReactNode {
  const { signIn, hasToken, dismissSignIn } = useSession();
  const [token, setToken] = useState('');
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  async function submit(): Promise<void> {
    setBusy(true);
    setError(null);
    const refused = await signIn(token.trim());
    setBusy(false);
    setError(refused);
    field.current?.focus();
  }
  // At the first sign-in, the dialog hides the page. When a session has ended, the page stays visible below the dialog.
  const isFirst = !hasToken;
  return (
    <Base.Root open onOpenChange={(isOpen) => !isOpen && dismissSignIn()}>
      <Base.Portal>
        <Base.Backdrop className={dialog.veil} data-whole={isFirst || undefined} />
        <Base.Popup
          className={`${dialog.dialog} ${styles.popup}`}
          data-whole={isFirst || undefined}
          initialFocus={field}
        >
          <Logo size={30} />
          <div>
            <Base.Title className={styles.title}>Sign in to flwd</Base.Title>
            <p>{location.host}</p>
          </div>
          <form
            className={styles.form}
            onSubmit={(event) => {
              event.preventDefault();
              if (token.trim() !== '' && !isBusy) void submit();
            }}
          >
            {hasToken && error === null && (
              <p>
                <WithCode text={refusal} />
              </p>
            )}
            <div className={styles.field}>
              <label htmlFor="token">API token</label>
              <Input
                id="token"
                ref={field}
                type="password"
                isMono
                spellCheck={false}
                value={token}
                onChange={(event) => setToken(event.target.value)}
                aria-describedby="token-error"
              />
              <p id="token-error" className={styles.error} role="alert">
                <WithCode text={error ?? ''} />
              </p>
            </div>
            <Button type="submit" look="primary" size="form" disabled={token.trim() === ''}>
              Sign in
            </Button>
            <div className={styles.hint}>
              <p>Create a token on the server. To view jobs and runs:</p>
              <CreateToken scopes={scopesToLook} />
              <p>To start and cancel runs as well:</p>
              <CreateToken scopes={scopesToOperate} />
              <p>The token is kept until this tab is closed.</p>
            </div>
          </form>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** The line of the command wraps only at spaces. */
function CreateToken({ scopes }: { readonly scopes: string }): ReactNode {
  const words = `flwd tokens create --name console --scopes ${scopes}`.split(' ');
  return (
    <code>
      {words.map((word, at) => (
        <Fragment key={word}>
          {at > 0 && ' '}
          <span>{word}</span>
        </Fragment>
      ))}
    </code>
  );
}
