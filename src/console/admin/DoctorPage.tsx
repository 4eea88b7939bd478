// The checks of the server, its webhooks, channels and host. Checks that need attention come first, with what to do.

import { useQueryClient } from '@tanstack/react-query';
import { RefreshCw } from 'lucide-react';
import type { ReactNode } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { listSome } from '../../lib/list-some.ts';
import { Button } from '../design/controls/Button.tsx';
import { Card } from '../design/text/Card.tsx';
import { PageBody, PageHeader } from '../design/text/PageHeader.tsx';
import { StatusText } from '../design/text/Status.tsx';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { healthKey, useHealth } from '../session/health.ts';
import { type Late, lateKey, useLate } from '../session/late.ts';
import { ErrorsOnce, Shown, WithCode } from '../widgets/Notes.tsx';
import { countOf, countWords, harmless } from '../words.ts';
import styles from './Admin.module.css';
import { type Webhook, webhookNotes } from './webhook-words.ts';

type Check = {
  /** Distinguishes checks that have the same name and text. */
  readonly id?: string;
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly fix: string | null;
};

const everyMs = 30_000;
const webhooksKey = ['webhooks'];
const channelsKey = ['channels'];
const jobsKey = ['jobs', 'count'];
const order = ['fail', 'warn', 'ok'] as const;
const healths: Readonly<Record<string, Check['status']>> = { ok: 'ok', degraded: 'warn', failing: 'fail' };

function useChecks() {
  const health = useHealth();
  const info = useAnswer(['info'], (client, signal) => client.call('getSystemInfo', { signal }), {
    refetchInterval: everyMs,
  });
  const webhooks = useAnswer(webhooksKey, (client, signal) => client.call('listWebhooks', { signal }), {
    refetchInterval: everyMs,
  });
  const channels = useAnswer(channelsKey, (client, signal) => client.call('listChannels', { signal }), {
    refetchInterval: everyMs,
  });
  // The server counts the jobs whether it returns them or not.
  const jobs = useAnswer(jobsKey, (client, signal) => client.call('listJobs', { query: { limit: 1 }, signal }), {
    refetchInterval: everyMs,
  });
  const late = useLate();
  const nowMs = useNow(everyMs);
  const ofServer = Object.entries(health.data?.checks ?? {}).map(
    ([name, { status, detail }]): Check => ({
      name,
      status: healths[status] ?? 'warn',
      detail: detail ?? '',
      fix: null,
    }),
  );
  const ofHost: readonly Check[] = info.data?.host.checks ?? [];
  const ofWebhooks = webhookChecks(webhooks.data?.webhooks ?? [], nowMs);
  const ofChannels = channels.data ? channelChecks(channels.data) : [];
  const ofJobs = [...brokenChecks(jobs.data), ...lateChecks(late ?? [])];
  const all = [...ofServer, ...ofJobs, ...ofWebhooks, ...ofChannels, ...ofHost];
  const issues = all.filter(({ status }) => status !== 'ok');
  return {
    health,
    info,
    webhooks,
    channels,
    ofServer: sorted(ofServer),
    ofJobs,
    ofWebhooks,
    ofChannels,
    ofHost: sorted(ofHost),
    issues,
  };
}

/** Returns a check if jobs are broken. */
function brokenChecks(jobs: Pick<AnswerOf<'listJobs'>, 'total' | 'invalid'> | undefined): readonly Check[] {
  const broken = jobs?.invalid ?? [];
  if (broken.length === 0) return [];
  const [are, them] = broken.length === 1 ? ['is', 'it'] : ['are', 'them'];
  const named = listSome(broken.map(({ id }) => harmless(id)));
  const detail = `${countOf(broken.length, 'job')} ${are} broken, so nothing can start ${them}: ${named}`;
  return [{ name: 'jobs', status: 'warn', detail, fix: 'the page Jobs shows the errors under Invalid' }];
}

/** Returns a check if runs are late or were missed. */
function lateChecks(late: readonly Late[]): readonly Check[] {
  if (late.length === 0) return [];
  const detail = `${countWords(late.length)} late or missed: ${listSome([...new Set(late.map(({ job_id: id }) => harmless(id)))])}`;
  return [{ name: 'expected runs', status: 'warn', detail, fix: 'the page Overview says why' }];
}

/**
 * Returns a check for each problem of a webhook. Without a problem, returns one check for all webhooks, or nothing if
 * there are no webhooks.
 */
function webhookChecks(webhooks: readonly Webhook[], nowMs: number): readonly Check[] {
  const notes = webhooks.flatMap((webhook) =>
    webhookNotes(webhook, nowMs).map(
      ({ detail, fix }): Check => ({
        id: webhook.id,
        name: harmless(`${webhook.job_id}/${webhook.name}`),
        status: 'warn',
        detail: harmless(detail),
        fix: harmless(fix),
      }),
    ),
  );
  if (notes.length > 0 || webhooks.length === 0) return notes;
  return [{ name: 'webhooks', status: 'ok', detail: countOf(webhooks.length, 'webhook'), fix: null }];
}

type ChannelList = AnswerOf<'listChannels'>;
type Waiting = ChannelList['job_addresses'][number]['waiting'];

/**
 * Returns a check for each problem of a channel, and for each address in `notify.webhook` with waiting messages.
 * Without a problem, returns one check for all channels. Returns nothing if there are no channels, or if the caller may
 * not know whether they work.
 */
function channelChecks({ channels, job_addresses: addresses }: ChannelList): readonly Check[] {
  const ofChannels = channels.flatMap(({ name, problem, waiting }): Check[] => {
    const about = { name, status: 'warn', fix: null } as const;
    if (problem !== null) return [{ ...about, detail: harmless(problem) }];
    return waiting === null ? [] : [{ ...about, detail: wordsOf(waiting) }];
  });
  const ofJobs = addresses.map(({ origin, job_id: job, waiting }): Check => {
    const detail = `${harmless(origin)}: ${wordsOf(waiting)}`;
    return { id: origin, name: harmless(job), status: 'warn', detail, fix: null };
  });
  const notes = [...ofChannels, ...ofJobs];
  // Only callers who administer the whole instance get origins. Without an origin, nothing is known about the channels.
  const isKnown = channels.some(({ origin }) => origin !== null);
  if (notes.length > 0 || !isKnown) return notes;
  return [{ name: 'channels', status: 'ok', detail: channels.map(({ name }) => name).join(', '), fix: null }];
}

function wordsOf({ messages, error }: Waiting): string {
  const words = messages === 1 ? '1 message waits' : `${countWords(messages)} messages wait`;
  return harmless(`${words}: ${error}`);
}

function sorted(checks: readonly Check[]): readonly Check[] {
  return checks.toSorted((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
}

/** The checks that need attention. */
export function useIssues(): readonly Check[] {
  return useChecks().issues;
}

export function DoctorPage(): ReactNode {
  const { health, info, webhooks, channels, ofServer, ofJobs, ofWebhooks, ofChannels, ofHost, issues } = useChecks();
  return (
    <>
      <PageHeader title="Doctor" after={<span className={styles.quiet}>{issueWords(issues.length)}</span>} />
      <PageBody>
        <ErrorsOnce>
          <Shown of={health} what="health checks">
            {() => <Checks title="Server" checks={ofServer} end={<CheckAgain />} />}
          </Shown>
          {ofJobs.length > 0 && <Checks title="Jobs" checks={ofJobs} />}
          <Shown of={webhooks} what="webhooks">
            {() => ofWebhooks.length > 0 && <Checks title="Webhooks" checks={ofWebhooks} />}
          </Shown>
          <Shown of={channels} what="channels">
            {() => ofChannels.length > 0 && <Checks title="Channels" checks={ofChannels} />}
          </Shown>
          <Shown of={info} what="host checks">
            {() => <Checks title="Host" checks={ofHost} end="checked once, when the server started" />}
          </Shown>
        </ErrorsOnce>
        <p className={styles.quiet}>
          <code>flwd doctor</code> on the server’s machine also checks its files, whether stored data can be read, and
          whether deliveries had a wrong signature.
        </p>
      </PageBody>
    </>
  );
}

const clockTime = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

/** The server repeats its checks for each request, but checks the host only once. */
function CheckAgain(): ReactNode {
  const checkedAtMs = useQueryClient().getQueryState(healthKey)?.dataUpdatedAt;
  const refresh = useRefresh();
  const again = (): void => {
    refresh({ queryKey: healthKey });
    refresh({ queryKey: webhooksKey });
    refresh({ queryKey: channelsKey });
    refresh({ queryKey: jobsKey });
    refresh({ queryKey: lateKey });
  };
  return (
    <>
      checked at {clockTime.format(checkedAtMs)}
      <Button size="small" icon={RefreshCw} onClick={again}>
        Check again
      </Button>
    </>
  );
}

export function issueWords(count: number): string {
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
  readonly end?: ReactNode;
}): ReactNode {
  return (
    <Card title={title} count={checks.length} end={end} isFlush>
      <ul>
        {checks.map(({ id = '', name, status, detail, fix }) => (
          <li key={`${id} ${name} ${detail}`} className={styles.check}>
            <StatusText of={looks[status]} word={words[status]} />
            <strong>{name}</strong>
            <span>
              <WithCode text={detail} />
            </span>
            {fix !== null && (
              <span className={styles.fix}>
                → <WithCode text={fix} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}
