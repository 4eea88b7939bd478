// Where the server asks who is there: above the page, so that what has been typed into it stays.

import { type ReactNode, useRef, useState } from 'react';
import { Dialog } from './Dialog.tsx';
import { useSession } from './session.tsx';

export function SignIn({ refusal }: { readonly refusal: string }): ReactNode {
  const { signIn, hasToken, leaveIt } = useSession();
  const [token, setToken] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  async function submit(): Promise<void> {
    setBusy(true);
    setFault(null);
    const refused = await signIn(token.trim());
    setBusy(false);
    setFault(refused);
    field.current?.focus();
  }
  return (
    <Dialog title="Sign in" close={leaveIt}>
      <p>{hasToken ? refusal : 'The server asks who is there.'}</p>
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
          {fault}
        </p>
        <p className="hint">
          On the server <code>flwd tokens create --name console --scopes jobs:read,runs:write</code> makes one. It is
          kept for this tab, and gone with it.
        </p>
        <button type="submit" className="primary" disabled={token.trim() === ''}>
          Sign in
        </button>
      </form>
    </Dialog>
  );
}
