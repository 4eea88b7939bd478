// Where the server asks who is there: above the page, so that what has been typed into it stays.

import { type ReactNode, useRef, useState } from 'react';
import { useSession } from '../session/session.tsx';
import { Dialog } from '../widgets/Dialog.tsx';
import { WithCode } from '../widgets/Notes.tsx';

/** The same as docs/console.md says. */
const scopesToLook = 'jobs:read,runs:read,artifacts:read';
const scopesToOperate = 'jobs:read,runs:write,runs:approve,artifacts:read';

export function SignIn({ refusal }: { readonly refusal: string }): ReactNode {
  const { signIn, hasToken, leaveIt } = useSession();
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
  return (
    <Dialog title="Sign in" close={leaveIt}>
      <p>{hasToken ? <WithCode text={refusal} /> : 'Sign in with an API token.'}</p>
      <form
        className="sign-in"
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== '' && !isBusy) void submit();
        }}
      >
        <label htmlFor="token">API token</label>
        <input
          id="token"
          ref={field}
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={token}
          onChange={(event) => setToken(event.target.value)}
          aria-describedby="token-fault"
        />
        <p id="token-fault" className="fault" role="alert">
          <WithCode text={error ?? ''} />
        </p>
        <p className="hint">
          On the server <code>flwd tokens create --name console --scopes {scopesToLook}</code> makes one to look;{' '}
          <code>{scopesToOperate}</code> are those to operate. It is forgotten when this tab is closed.
        </p>
        <button type="submit" className="primary" disabled={token.trim() === ''}>
          Sign in
        </button>
      </form>
    </Dialog>
  );
}
