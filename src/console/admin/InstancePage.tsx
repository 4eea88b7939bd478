// Facts about this instance: its version, its queue, and what it can enforce.

import type { ReactNode } from 'react';
import { spanWords } from '../../client/took.ts';
import { sizeWords } from '../../lib/units.ts';
import { Card } from '../design/text/Card.tsx';
import { PageBody, PageHeader } from '../design/text/PageHeader.tsx';
import { useAnswer } from '../session/answers.tsx';
import { useHealth } from '../session/health.ts';
import { Facts, Shown } from '../widgets/Notes.tsx';
import { countWords } from '../words.ts';

const everyMs = 5_000;

export function InstancePage(): ReactNode {
  const health = useHealth();
  const info = useAnswer(['info'], (client, signal) => client.call('getSystemInfo', { signal }), {
    refetchInterval: everyMs,
  });
  return (
    <>
      <PageHeader title="Instance" />
      <PageBody>
        <Shown of={info} what="system information">
          {({ name, version, timezone, queue, isolation, limits, caller, extensions }) => (
            <>
              <Card title="This instance">
                <Facts
                  of={[
                    ['Name', name],
                    ['Version', version],
                    ['Up for', health.data && spanWords(health.data.uptime_seconds * 1_000)],
                    ['Time zone of schedules', timezone],
                    ['Extensions', extensions.join(', ')],
                    ['Largest request', sizeWords(limits.body_bytes)],
                    ['You are', `${caller.name}, of ${caller.tenant === '*' ? 'all tenants' : caller.tenant}`],
                    ['You may', caller.scopes.join(', ')],
                  ]}
                />
              </Card>
              <Card title="Queue">
                <Facts
                  of={[
                    ['Running', `${countWords(queue.running)} of ${queue.limits.global_concurrency} processes`],
                    ['Waiting', ofMost(queue.depth, queue.limits.max_depth)],
                    ['Runs of one job at a time', queue.limits.job_concurrency ?? 'no limit'],
                  ]}
                />
              </Card>
              <Card title="Security profiles" end={<code>allowed: security.allow_profiles in flwd.yaml</code>}>
                <Facts
                  of={Object.entries(isolation).map(([profile, { available, detail }]) => [
                    `Profile ${profile}`,
                    [available ? 'can be enforced on this host' : 'cannot be enforced on this host', detail]
                      .filter(Boolean)
                      .join(': '),
                  ])}
                />
              </Card>
              <Card title="How the limits of a run are enforced">
                <Facts
                  of={Object.entries(limits.run).map(([limit, { by, detail }]) => [
                    limit,
                    detail === null ? `by ${by}` : `by ${by}: ${detail}`,
                  ])}
                />
              </Card>
            </>
          )}
        </Shown>
      </PageBody>
    </>
  );
}

function ofMost(count: number, most: number | null): string {
  return most === null ? countWords(count) : `${countWords(count)} of at most ${countWords(most)}`;
}
