// The frame around every page: the sidebar, dialogs and keys.

import { CSPProvider } from '@base-ui/react/csp-provider';
import { Tooltip } from '@base-ui/react/tooltip';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { Patterns } from '../design/charts/Patterns.tsx';
import { usePreference } from '../design/preferences.ts';
import { narrowPx, useWidth } from '../design/width.ts';
import { useSession } from '../session/session.tsx';
import styles from './App.module.css';
import { Boundary } from './Boundary.tsx';
import { KeysHelp } from './KeysHelp.tsx';
import { useKeys } from './keys.ts';
import { Palette } from './Palette.tsx';
import { PhoneBar } from './PhoneBar.tsx';
import { Pages } from './pages.tsx';
import { Sidebar } from './Sidebar.tsx';
import { SignIn } from './SignIn.tsx';

const tooltipDelayMs = 400;

export function App(): ReactNode {
  const { refusal } = useSession();
  const [location] = useLocation();
  const [dialog, setDialog] = useState<'help' | 'palette' | null>(null);
  const shown = useRef(location);
  // Users of screen readers or of the keyboard start at the top of the new page, unless a field of its form has the
  // focus.
  useEffect(() => {
    const main = document.getElementById('main');
    if (shown.current !== location && shown.current !== '/' && !main?.contains(document.activeElement)) main?.focus();
    shown.current = location;
  }, [location]);
  const isNarrow = useWidth() < narrowPx;
  const [kept, keep] = usePreference('sidebar');
  const [keys] = usePreference('keys');
  const isCollapsed = kept === 'collapsed';
  const toggle = (): void => keep(isCollapsed ? null : 'collapsed');
  const actions = { openHelp: () => setDialog('help'), openPalette: () => setDialog('palette'), toggleSidebar: toggle };
  useKeys({ hasSingle: keys !== 'no', ...actions });
  return (
    <CSPProvider disableStyleElements>
      <Tooltip.Provider delay={tooltipDelayMs}>
        <Patterns />
        <a className={styles.skip} href="#main">
          Skip to content
        </a>
        <div className={styles.frame}>
          {!isNarrow && <Sidebar isCollapsed={isCollapsed} {...actions} />}
          <main id="main" tabIndex={-1} className={styles.main}>
            <Boundary key={location}>
              <Pages />
            </Boundary>
          </main>
          {isNarrow && <PhoneBar {...actions} />}
        </div>
        {refusal !== null && <SignIn refusal={refusal} />}
        {dialog === 'palette' && <Palette close={() => setDialog(null)} openHelp={actions.openHelp} />}
        {dialog === 'help' && <KeysHelp close={() => setDialog(null)} />}
      </Tooltip.Provider>
    </CSPProvider>
  );
}
