// Which page an address shows. Overview and Runs are in the first load; the others are loaded when they are first
// shown.

import type { ReactNode } from 'react';
import { Link, Route, Switch } from 'wouter';
import { useTitle } from '../browser.ts';
import { Kbd } from '../design/text/Kbd.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { OverviewPage } from '../overview/OverviewPage.tsx';
import { RunsPage } from '../runs/RunsPage.tsx';
import { Empty } from '../widgets/Notes.tsx';
import { onDemand } from './on-demand.tsx';

const LogPage = onDemand('the log', async () => (await import('../log/LogPage.tsx')).LogPage);
const ApprovalsPage = onDemand('the page', async () => (await import('../approvals/ApprovalsPage.tsx')).ApprovalsPage);
const ComparePage = onDemand('the page', async () => (await import('../compare/ComparePage.tsx')).ComparePage);
const JobPage = onDemand('the page', async () => (await import('../job/JobPage.tsx')).JobPage);
const JobsPage = onDemand('the page', async () => (await import('../jobs/JobsPage.tsx')).JobsPage);
const RunPage = onDemand('the run', async () => (await import('../run/RunPage.tsx')).RunPage);
const AdminPage = onDemand('the page', async () => (await import('../admin/AdminPage.tsx')).AdminPage);
const SchedulesPage = onDemand('the page', async () => (await import('../schedules/SchedulesPage.tsx')).SchedulesPage);

const FailuresPage = onDemand('the page', async () => (await import('../failures/FailuresPage.tsx')).FailuresPage);
const LogsPage = onDemand('the page', async () => (await import('../logs/LogsPage.tsx')).LogsPage);

const onDemandPages = [
  [/^\/runs\/[^/]+\/log$/, LogPage],
  [/^\/runs\/./, RunPage],
  [/^\/jobs$/, JobsPage],
  [/^\/jobs\/./, JobPage],
  [/^\/schedules$/, SchedulesPage],
  [/^\/approvals$/, ApprovalsPage],
  [/^\/failures$/, FailuresPage],
  [/^\/logs$/, LogsPage],
  [/^\/compare$/, ComparePage],
  [/^\/admin/, AdminPage],
] as const;

/** Loads the code of the page that is shown first, while the frame around it is drawn. */
export function preloadPage(path: string): void {
  onDemandPages.find(([pattern]) => pattern.test(path))?.[1].preload();
}

export function Pages(): ReactNode {
  return (
    <Switch>
      <Route path="/">
        <OverviewPage />
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
      <Route path="/runs/:id/log">{({ id }) => <LogPage key={id} runId={id} />}</Route>
      <Route path="/runs/:id">{({ id }) => <RunPage key={id} runId={id} />}</Route>
      <Route path="/schedules">
        <SchedulesPage />
      </Route>
      <Route path="/approvals">
        <ApprovalsPage />
      </Route>
      <Route path="/failures">
        <FailuresPage />
      </Route>
      <Route path="/logs">
        <LogsPage />
      </Route>
      <Route path="/compare">
        <ComparePage />
      </Route>
      <Route path="/admin/*?">
        <AdminPage />
      </Route>
      <Route>
        <NotFound />
      </Route>
    </Switch>
  );
}

function NotFound(): ReactNode {
  useTitle('Page not found');
  return (
    <>
      <PageHeader title="Page not found" />
      <Empty>
        <p>
          The console has no page at this address. Go to the <Link href="/">Overview</Link>, or press <Kbd>Ctrl K</Kbd>{' '}
          to find a job, a page or a run.
        </p>
      </Empty>
    </>
  );
}
