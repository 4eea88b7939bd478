// The frame around every page: navigation, the server's health, dialogs and keys.

import { CSPProvider } from '@base-ui/react/csp-provider';
import { Tooltip } from '@base-ui/react/tooltip';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import { useKept } from '../browser.ts';
import { JobsPage } from '../jobs/JobsPage.tsx';
import { RunPage } from '../run/RunPage.tsx';
import { RunsPage } from '../runs/RunsPage.tsx';

import { useSession } from '../session/session.tsx';
import { Dialog } from '../widgets/Dialog.tsx';
import { Empty } from '../widgets/Notes.tsx';
import { Boundary } from './Boundary.tsx';
import { Health } from './Health.tsx';
import { keyList, useKeys } from './keys.ts';
import { onDemand } from './on-demand.tsx';
import { Palette } from './Palette.tsx';
import { SignIn } from './SignIn.tsx';

const JobPage = onDemand('the page', async () => (await import('../jobs/JobPage.tsx')).JobPage);
const SystemPage = onDemand('the page', async () => (await import('../system/SystemPage.tsx')).SystemPage);

const places = [
  ['/jobs', 'Jobs'],
  ['/runs', 'Runs'],
  ['/system', 'System'],
] as const;

export function App(): ReactNode {
  const { refusal, isSignedIn, signOut } = useSession();
  const [location] = useLocation();
  const [dialog, setDialog] = useState<'help' | 'palette' | null>(null);
  const shown = useRef(location);
  // Users of screen readers and of the keyboard start at the top of the new page.
  useEffect(() => {
    if (shown.current !== location && shown.current !== '/') document.getElementById('main')?.focus();
    shown.current = location;
  }, [location]);
  const [hasSingle, setSingle] = useKept('flwd.keys', true);
  useKeys({ hasSingle, openHelp: () => setDialog('help'), openPalette: () => setDialog('palette') });
  return (
    <CSPProvider disableStyleElements>
      <Tooltip.Provider delay={400}>
        <a className="skip" href="#main">
          Skip to content
        </a>
        <div className="old">
          <header className="top">
            <Link href="/jobs" className="brand">
              flwd
            </Link>
            <nav aria-label="Pages">
              {places.map(([href, name]) => (
                <Link key={href} href={href} aria-current={location.startsWith(href) ? 'page' : undefined}>
                  {name}
                </Link>
              ))}
            </nav>
            <span className="space" />
            <button type="button" onClick={() => setDialog('palette')}>
              Go to <kbd className="wide-only">Ctrl-K</kbd>
            </button>
            <button type="button" onClick={() => setDialog('help')} aria-label="Keys" title="Keys (?)">
              ?
            </button>
            {isSignedIn && (
              <button type="button" onClick={signOut}>
                Sign out
              </button>
            )}
            <Health />
          </header>
        </div>
        <Boundary key={location}>
          <Pages />
        </Boundary>
        <div className="old">
          {refusal !== null && <SignIn refusal={refusal} />}
          {dialog === 'palette' && <Palette close={() => setDialog(null)} />}
          {dialog === 'help' && (
            <Dialog title="Keys" close={() => setDialog(null)}>
              <dl className="keys">
                {keyList.map(([key, what]) => (
                  <div key={key}>
                    <dt>
                      <kbd>{key}</kbd>
                    </dt>
                    <dd>{what}</dd>
                  </div>
                ))}
              </dl>
              <label>
                <input type="checkbox" checked={hasSingle} onChange={(event) => setSingle(event.target.checked)} /> use
                single-character keys
              </label>
            </Dialog>
          )}
        </div>
      </Tooltip.Provider>
    </CSPProvider>
  );
}

function Pages(): ReactNode {
  return (
    <main id="main" tabIndex={-1}>
      <div className="old old-page">
        <Switch>
          <Route path="/">
            <Redirect to="/jobs" replace />
          </Route>
          <Route path="/jobs">
            <JobsPage />
          </Route>
          <Route path="/jobs/*">
            <JobPage />
          </Route>
          <Route path="/runs">
            <RunsPage />
          </Route>
          <Route path="/runs/:id">{({ id }) => <RunPage key={id} runId={id} />}</Route>
          <Route path="/system">
            <SystemPage />
          </Route>
          <Route>
            <Empty>Page not found.</Empty>
          </Route>
        </Switch>
      </div>
    </main>
  );
}
