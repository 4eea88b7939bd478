// Where the server asks who is there.

import { type ReactNode, useState } from 'react';
import { useSession } from './session.tsx';

export function SignIn({ refusal }: { readonly refusal: string }): ReactNode {
  const { signIn, hasToken } = useSession();
  const [token, setToken] = useState('');
  return (
    <main id="main" className="sign-in">
      <h1>Sign in</h1>
      <p>{hasToken ? refusal : 'The server asks who is there.'}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== '') signIn(token.trim());
        }}
      >
        <label htmlFor="token">API token</label>
        <input
          id="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <p className="hint">
          On the server <code>flwd tokens create --name console --scopes jobs:read,runs:write</code> makes one. It is
          kept for this tab, and gone with it.
        </p>
        <button type="submit" className="primary" disabled={token.trim() === ''}>
          Sign in
        </button>
      </form>
    </main>
  );
}
