// The sign-in dialog. It opens above the page, which keeps what the user has typed.

import { type ReactNode, useRef, useState } from 'react';
import { useSession } from '../session/session.tsx';
import { Dialog } from '../widgets/Dialog.tsx';
import { WithCode } from '../widgets/Notes.tsx';

/** docs/console.md names the same scopes. */
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
  return (
    <Dialog title="Sign in" close={dismissSignIn}>
      <p>{hasToken && error === null ? <WithCode text={refusal} /> : 'Sign in with an API token.'}</p>
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
          Create a token on the server. To view: <code>flwd tokens create --name console --scopes {scopesToLook}</code>.
          To start and cancel runs as well, use the scopes <code>{scopesToOperate}</code>. The token is kept until this
          tab is closed.
        </p>
        <button type="submit" className="primary" disabled={token.trim() === ''}>
          Sign in
        </button>
      </form>
    </Dialog>
  );
}
