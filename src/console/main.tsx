// Starts the console in the browser. The console is only a client of the API (ADR 0024).

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { showPreferences } from './design/preferences.ts';
import { AnswersProvider } from './session/answers.tsx';
import { SessionProvider } from './session/session.tsx';
import { App } from './shell/App.tsx';
import { preloadPage } from './shell/pages.tsx';

showPreferences();
preloadPage(location.pathname);
const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <SessionProvider>
        <AnswersProvider>
          <App />
        </AnswersProvider>
      </SessionProvider>
    </StrictMode>,
  );
}
