// The checks of the server and of its host: those that need something come first, with what to do.

import { useQueryClient } from '@tanstack/react-query';
import { RefreshCw } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from '../design/controls/Button.tsx';
import { Card } from '../design/text/Card.tsx';
import { PageBody, PageHeader } from '../design/text/PageHeader.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { healthKey, useHealth } from '../session/health.ts';
import { ErrorsOnce, Shown, WithCode } from '../widgets/Notes.tsx';
import styles from './Admin.module.css';

type Check = {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly cure: string | null;
};

const everyMs = 30_000;
const order = ['fail', 'warn', 'ok'] as const;
const healths: Readonly<Record<string, Check['status']>> = { ok: 'ok', degraded: 'warn', failing: 'fail' };

function useChecks() {
  const health = useHealth();
  const info = useAnswer(['info'], (client, signal) => client.call('getSystemInfo', { signal }), {
    refetchInterval: everyMs,
  });
  const ofServer = Object.entries(health.data?.checks ?? {}).map(
    ([name, { status, detail }]): Check => ({
      name,
      status: healths[status] ?? 'warn',
      detail: detail ?? '',
      cure: null,
    }),
  );
  const ofHost: readonly Check[] = info.data?.host.checks ?? [];
  return { health, info, ofServer: sorted(ofServer), ofHost: sorted(ofHost) };
}

function sorted(checks: readonly Check[]): readonly Check[] {
  return checks.toSorted((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
}

/** The checks that ask for something. */
export function useIllChecks(): readonly Check[] {
  const { ofServer, ofHost } = useChecks();
  return [...ofServer, ...ofHost].filter(({ status }) => status !== 'ok');
}

export function DoctorPage(): ReactNode {
  const { health, info, ofServer, ofHost } = useChecks();
  const ill = [...ofServer, ...ofHost].filter(({ status }) => status !== 'ok').length;
  return (
    <>
      <PageHeader title="Doctor" after={<span className={styles.quiet}>{illWords(ill)}</span>} />
      <PageBody>
        <ErrorsOnce>
          <Shown of={health} what="health checks">
            {() => <Checks title="Server" checks={ofServer} end={<CheckAgain />} />}
          </Shown>
          <Shown of={info} what="host checks">
            {() => <Checks title="Host" checks={ofHost} end="checked once after the server started" />}
          </Shown>
        </ErrorsOnce>
        <p className={styles.quiet}>
          <code>flwd doctor</code> on the server’s machine also checks its files and whether stored data can be read.
        </p>
      </PageBody>
    </>
  );
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

/** The server makes its own checks for each request, those of the host only once. */
function CheckAgain(): ReactNode {
  const checkedAtMs = useQueryClient().getQueryState(healthKey)?.dataUpdatedAt;
  const refresh = useRefresh();
  return (
    <>
      checked at {clock.format(checkedAtMs)}
      <Button size="small" icon={RefreshCw} onClick={() => refresh({ queryKey: healthKey })}>
        Check again
      </Button>
    </>
  );
}

function illWords(count: number): string {
  if (count === 0) return 'all checks pass';
  return count === 1 ? '1 check needs attention' : `${count} checks need attention`;
}

const looks = { ok: 'success', warn: 'late', fail: 'failed' } as const;
const words = { ok: 'OK', warn: 'Warning', fail: 'Failed' } as const;

function Checks({
  title,
  checks,
  end,
}: {
  readonly title: string;
  readonly checks: readonly Check[];
  readonly end: ReactNode;
}): ReactNode {
  return (
    <Card title={title} count={checks.length} end={end} isFlush>
      <ul>
        {checks.map(({ name, status, detail, cure }) => (
          <li key={name} className={styles.check}>
            <StatusText of={looks[status]} word={words[status]} />
            <strong>{name}</strong>
            <span>
              <WithCode text={detail} />
            </span>
            {cure !== null && (
              <span className={styles.cure}>
                → <WithCode text={cure} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}
