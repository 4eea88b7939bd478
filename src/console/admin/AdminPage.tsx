// The frame of Admin: a second column lists its sub-pages, each of which has an address of its own. Pages that the
// caller may not see are not listed.

import { type ComponentType, type ReactNode, useEffect, useRef } from 'react';
import { Link, Redirect, useRoute } from 'wouter';
import { useTitle } from '../browser.ts';
import { scrollAcross } from '../design/scroll-across.ts';
import { StatusIcon } from '../design/text/Status.tsx';
import { useScopes } from '../session/scopes.ts';
import { onDemand } from '../shell/on-demand.tsx';
import { Empty, Loading } from '../widgets/Notes.tsx';
import { countOf } from '../words.ts';
import styles from './AdminPage.module.css';
import { AuditPage } from './AuditPage.tsx';
import { adminPath, adminPlaces } from './admin-pages.ts';
import { DoctorPage, issueWords, useIssues } from './DoctorPage.tsx';
import { InstancePage } from './InstancePage.tsx';
import { SecretsPage } from './SecretsPage.tsx';
import { SourcesPage, useSources } from './SourcesPage.tsx';
import { StoragePage } from './StoragePage.tsx';
import { TokensPage } from './TokensPage.tsx';
import { ValuesPage } from './ValuesPage.tsx';

const pages: Readonly<Record<string, ComponentType>> = {
  sources: SourcesPage,
  webhooks: onDemand('the page', async () => (await import('./WebhooksPage.tsx')).WebhooksPage),
  triggers: onDemand('the page', async () => (await import('./TriggersPage.tsx')).TriggersPage),
  channels: onDemand('the page', async () => (await import('./ChannelsPage.tsx')).ChannelsPage),
  tokens: TokensPage,
  secrets: SecretsPage,
  values: ValuesPage,
  audit: AuditPage,
  storage: StoragePage,
  doctor: DoctorPage,
  instance: InstancePage,
};

export function AdminPage(): ReactNode {
  const [, path] = useRoute('/admin/:page');
  const may = useScopes();
  const seen = adminPlaces.filter(({ scope }) => may(scope));
  const hidden = adminPlaces.filter(({ scope }) => may(scope) === false);
  const place = adminPlaces.find((one) => one.path === path?.page);
  useTitle(place?.name ?? 'Admin');
  const row = useRef<HTMLUListElement>(null);
  useEffect(() => scrollAcross(row.current, row.current?.querySelector('[aria-current]')), [place, seen.length]);
  const [first] = seen;
  if (path === null && first) return <Redirect to={adminPath(first.path)} replace />;
  if (path === null && hidden.length === 0) return <Loading what="your rights" />;
  const Page = place && pages[place.path];
  return (
    <div className={styles.frame}>
      <nav aria-label="Admin" className={styles.nav}>
        <p className={styles.title}>Admin</p>
        <ul ref={row}>
          {seen.map(({ path: one, name, icon: Icon }) => (
            <li key={one}>
              <Link href={adminPath(one)} aria-current={one === place?.path ? 'page' : undefined}>
                <Icon size={16} aria-hidden="true" />
                {name}
                {one === 'sources' && <IllSources />}
                {one === 'doctor' && <IllChecks />}
              </Link>
            </li>
          ))}
        </ul>
        {hidden.length > 0 && (
          <p className={styles.hidden}>
            Your token lacks the scopes for these pages:{' '}
            {hidden.map(({ name, scope }) => `${name} (${scope})`).join(', ')}.
          </p>
        )}
      </nav>
      <div className={styles.page}>
        {Page && may(place.scope) && <Page />}
        {place && may(place.scope) === false && (
          <Empty>
            To see {place.name}, you need a token with the scope <code>{place.scope}</code>.
          </Empty>
        )}
        {!place && <Empty>{path ? 'Page not found.' : 'Your token does not let you see any of these pages.'}</Empty>}
      </div>
    </div>
  );
}

function IllSources(): ReactNode {
  const missing = useSources().data?.sources.filter(({ is_missing }) => is_missing).length ?? 0;
  return missing > 0 && <Issues look="late" words={countOf(missing, 'missing folder')} />;
}

function IllChecks(): ReactNode {
  const issues = useIssues();
  const hasFailed = issues.some(({ status }) => status === 'fail');
  return issues.length > 0 && <Issues look={hasFailed ? 'failed' : 'late'} words={issueWords(issues.length)} />;
}

function Issues({ look, words }: { readonly look: 'failed' | 'late'; readonly words: string }): ReactNode {
  return (
    <span className={styles.issues}>
      <StatusIcon of={look} size={14} word={words} />
    </span>
  );
}
