// The page of the instance: its health, waiting runs, schedules, queue, sources, isolation, tokens, secrets and audit
// log.

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { startWords } from '../../lib/start-words.ts';
import { formatDuration, formatSize } from '../../lib/units.ts';
import { useTitle } from '../browser.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useHealth } from '../session/health.ts';
import { useRunEvents } from '../session/streams.ts';
import { ErrorsOnce, Facts, Shown, Table, Time } from '../widgets/Notes.tsx';
import { jobPath, runPath } from '../words.ts';

const waitingShown = 20;
const auditShown = 50;
const settleMs = 2_000;
/** No event reports changes of these. */
const everyMs = 5_000;

export function SystemPage(): ReactNode {
  useTitle('System');
  const refresh = useRefresh();
  const change = (): void => {
    refresh({ queryKey: ['waiting'] });
    refresh({ queryKey: ['audit'] });
  };
  useRunEvents({ settleMs }, { change });
  return (
    <>
      <h1>System</h1>
      <ErrorsOnce>
        <HealthChecks />
        <Waiting />
        <Schedules />
        <Info />
        <Tokens />
        <Secrets />
        <Audit />
      </ErrorsOnce>
    </>
  );
}

function Section(o: { readonly title: string; readonly id?: string; readonly children: ReactNode }): ReactNode {
  return (
    <section aria-label={o.title} id={o.id}>
      <h2>{o.title}</h2>
      {o.children}
    </section>
  );
}

function HealthChecks(): ReactNode {
  return (
    <Section title="Health">
      <Shown of={useHealth()} what="health checks">
        {({ status, version, uptime_seconds: uptime, checks }) => (
          <Facts
            of={[
              ['Status', status],
              ['Version', version],
              ['Up for', formatDuration(uptime * 1_000)],
              ...Object.entries(checks).map(
                ([name, check]) =>
                  [name, check.detail === undefined ? check.status : `${check.status}: ${check.detail}`] as const,
              ),
            ]}
          />
        )}
      </Shown>
    </Section>
  );
}

function Info(): ReactNode {
  const info = useAnswer(['info'], (client, signal) => client.call('getSystemInfo', { signal }), {
    refetchInterval: everyMs,
  });
  return (
    <Shown of={info} what="system information">
      {({ queue, sources, isolation, host, limits }) => (
        <>
          <Section title="Queue">
            <Facts
              of={[
                [
                  'Waiting',
                  `${queue.depth}${queue.limits.max_depth === null ? '' : `, limit ${queue.limits.max_depth}`}`,
                ],
                ['Running', `${queue.running}, limit ${queue.limits.global_concurrency}`],
                ['Limit per job', queue.limits.job_concurrency],
              ]}
            />
          </Section>
          <Section title="Sources">
            <Facts of={sources.map(({ name, type, path }) => [name, path === undefined ? type : `${type}: ${path}`])} />
          </Section>
          <Section title="Isolation">
            <Facts of={Object.entries(isolation).map(([name, one]) => [name, capabilityWords(one)])} />
            <Table
              label="Host checks"
              head={['check', 'status', 'found', 'what to do']}
              rows={host.checks.map(({ name, status, detail, cure }) => [name, status, detail, cure ?? ''])}
            />
            <h3>Run limits</h3>
            <Facts
              of={[
                ...Object.entries(limits.run).map(
                  ([name, { by, detail }]) => [name, detail === null ? `by ${by}` : `by ${by}: ${detail}`] as const,
                ),
                ['request body', formatSize(limits.body_bytes)],
              ]}
            />
          </Section>
        </>
      )}
    </Shown>
  );
}

function capabilityWords({ available, detail }: AnswerOf<'getSystemInfo'>['isolation'][string]): string {
  return [available ? 'available' : 'not available', detail].filter(Boolean).join(': ');
}

function Waiting(): ReactNode {
  const waiting = useAnswer(['waiting'], async (client, signal) => {
    const query = { limit: waitingShown };
    const [asking, pending] = await Promise.all([
      client.call('listRuns', { query: { ...query, status: 'waiting_approval' }, signal }),
      client.call('listRuns', { query: { ...query, status: 'pending' }, signal }),
    ]);
    const runs = [...asking.runs, ...pending.runs].slice(0, waitingShown);
    const isMore = asking.total + pending.total > runs.length;
    return { runs, isMore, asking: asking.total, pending: pending.total };
  });
  return (
    <Section title="Waiting runs">
      <Shown of={waiting} what="waiting runs">
        {({ runs, isMore, asking, pending }) =>
          runs.length === 0 ? (
            <p className="quiet">No runs are waiting.</p>
          ) : (
            <>
              <Table
                label="Waiting runs"
                head={['run', 'job', 'reason', 'since']}
                rows={runs.map((run) => [
                  <Link key="run" href={runPath(run.run_id)}>
                    {run.run_id}
                  </Link>,
                  run.job_id,
                  run.waiting ?? 'in the queue',
                  <Time key="time" at={run.created_at} />,
                ])}
              />
              {isMore && (
                <p>
                  {asking > 0 && (
                    <Link href="/runs?q=status%3Awaiting_approval">All {asking} waiting for approval</Link>
                  )}
                  {asking > 0 && pending > 0 && ' · '}
                  {pending > 0 && <Link href="/runs?q=status%3Apending">All {pending} in the queue</Link>}
                </p>
              )}
            </>
          )
        }
      </Shown>
    </Section>
  );
}

function Schedules(): ReactNode {
  const answer = useAnswer(['schedules', 'all'], (client, signal) => client.call('listSchedules', { signal }), {
    refetchInterval: everyMs,
  });
  return (
    <Section title="Schedules" id="schedules">
      <Shown of={answer} what="schedules">
        {({ schedules }) =>
          schedules.length === 0 ? (
            <p className="quiet">
              No schedules yet. Add one under <code>schedules:</code> in a job’s config.yaml.
            </p>
          ) : (
            <Table
              label="All schedules"
              head={['job', 'when', 'next', 'last', 'from']}
              rows={schedules.map((schedule) => [
                <Link key="job" href={jobPath(schedule.job_id)}>
                  {schedule.job_id}
                </Link>,
                `${schedule.cron} ${schedule.timezone}`,
                <NextFires key="next" schedule={schedule} />,
                schedule.last_error ? (
                  `failed to start at ${schedule.last_error.nominal_at}: ${schedule.last_error.detail}`
                ) : schedule.last_fire ? (
                  <Link key="last" href={runPath(schedule.last_fire.run_id)}>
                    <Time at={schedule.last_fire.at} />
                  </Link>
                ) : (
                  ''
                ),
                schedule.source === 'job' ? 'config.yaml' : 'the API',
              ])}
            />
          )
        }
      </Shown>
    </Section>
  );
}

function NextFires({ schedule }: { readonly schedule: AnswerOf<'listSchedules'>['schedules'][number] }): ReactNode {
  if (!schedule.enabled) return 'disabled';
  if (schedule.held) return 'held';
  if (startWords.has(schedule.cron)) return startWords.get(schedule.cron);
  return schedule.next_fires.slice(0, 3).map(({ nominal_at: at, local }, index) => (
    <span key={at} title={local} className="fire">
      {index > 0 && ', '}
      <Time at={at} />
    </span>
  ));
}

function Tokens(): ReactNode {
  const answer = useAnswer(['tokens'], (client, signal) => client.call('listTokens', { signal }));
  return (
    <Section title="Tokens">
      <Shown of={answer} what="tokens">
        {({ tokens }) =>
          tokens.length === 0 ? (
            <p className="quiet">
              No tokens yet. Create one with <code>flwd tokens create --name NAME --scopes A,B</code>.
            </p>
          ) : (
            <Table
              label="All tokens"
              head={['name', 'scopes', 'tenant', 'status', 'last used', 'expires']}
              rows={tokens.map((token) => [
                token.name,
                token.scopes.join(', '),
                token.tenant,
                token.status,
                token.last_used_at === null ? 'never' : <Time key="used" at={token.last_used_at} />,
                token.expires_at === null ? 'never' : <Time key="ends" at={token.expires_at} />,
              ])}
            />
          )
        }
      </Shown>
    </Section>
  );
}

function Secrets(): ReactNode {
  const answer = useAnswer(['secrets'], (client, signal) => client.call('listSecrets', { signal }));
  return (
    <Section title="Secrets">
      <Shown of={answer} what="secret names">
        {({ secrets }) =>
          secrets.length === 0 ? (
            <p className="quiet">
              No secrets yet. Store one with <code>flwd secrets set NAME</code>. Its value is never shown again.
            </p>
          ) : (
            <Table
              label="Names of the stored secrets"
              head={['name', 'tenant', 'stored by', 'changed']}
              rows={secrets.map((secret) => [
                secret.name,
                secret.tenant,
                secret.updated_by,
                <Time key="at" at={secret.updated_at} />,
              ])}
            />
          )
        }
      </Shown>
    </Section>
  );
}

function Audit(): ReactNode {
  const answer = useAnswer(['audit'], (client, signal) =>
    client.call('listAudit', { query: { limit: auditShown }, signal }),
  );
  return (
    <Section title="Audit">
      <Shown of={answer} what="the audit log">
        {({ entries }) => (
          <Table
            label="Newest audit entries"
            head={['time', 'actor', 'action', 'object', 'result', 'from']}
            rows={entries.map((entry) => [
              <Time key="at" at={entry.at} />,
              `${entry.actor.name} (${entry.actor.kind})`,
              entry.action,
              entry.object === null ? '' : `${entry.object.kind} ${entry.object.id ?? ''}`,
              entry.reason === null ? entry.result : `${entry.result}: ${entry.reason}`,
              entry.from ?? '',
            ])}
          />
        )}
      </Shown>
    </Section>
  );
}
