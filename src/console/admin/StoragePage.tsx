// How much is stored, how long it is kept, and what can be removed now.

import { Trash2 } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { sizeWords } from '../../lib/units.ts';
import { Button } from '../design/controls/Button.tsx';
import { Confirm } from '../design/controls/Dialog.tsx';
import { Card } from '../design/text/Card.tsx';
import { PageBody, PageHeader } from '../design/text/PageHeader.tsx';
import { useActions } from '../session/actions.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useHealth } from '../session/health.ts';
import { useScopes } from '../session/scopes.ts';
import { ErrorNote, Facts, Shown } from '../widgets/Notes.tsx';
import { countOf, countWords, settingWords } from '../words.ts';
import styles from './Admin.module.css';

const kept = {
  runs: 'Runs',
  logs: 'Logs',
  artifacts: 'Artifacts',
  workspaces: 'Workspaces',
  snapshots: 'Snapshots of jobs',
  events: 'Events',
  audit: 'Audit log',
  stats: 'Statistics',
} as const;

export function StoragePage(): ReactNode {
  const may = useScopes();
  const health = useHealth();
  const storage = useAnswer(['storage'], (client, signal) => client.call('getStorageHealth', { signal }));
  return (
    <>
      <PageHeader title="Storage" />
      <PageBody>
        <Shown of={storage} what="the sizes">
          {({ bytes_used: bytes, log_bytes: logs, artifacts, retention }) => (
            <>
              <Card title="Sizes">
                <Facts
                  of={[
                    ['Database', sizeWords(bytes)],
                    ['Logs', sizeWords(logs)],
                    ['Artifacts', `${sizeWords(artifacts.bytes)} in ${countOf(artifacts.count, 'file')}`],
                    ['Quota', <Quota key="quota" of={artifacts} />],
                    ['Disk of the data dir', health.data?.checks.disk?.detail ?? ''],
                  ]}
                />
              </Card>
              <Card title="Kept for" end={<code>persistence.retention in flwd.yaml</code>}>
                <Facts
                  of={Object.entries(retention).map(([kind, time]) => [
                    nameOf(kind),
                    time === null ? 'forever' : settingWords(time),
                  ])}
                />
              </Card>
            </>
          )}
        </Shown>
        {may('admin') && <Collect />}
        {may('admin') === false && (
          <p className={styles.quiet}>Callers with the scope admin can remove expired data now.</p>
        )}
      </PageBody>
    </>
  );
}

type Artifacts = AnswerOf<'getStorageHealth'>['artifacts'];

/** Shows how much of their quota the artifacts use. */
function Quota({
  of: { bytes, quota_hard_bytes: most, quota_soft_bytes: soft },
}: {
  readonly of: Artifacts;
}): ReactNode {
  const share = most === 0 ? 1 : Math.min(1, bytes / most);
  return (
    <div className={styles.use}>
      <span>
        {sizeWords(bytes)} of {sizeWords(most)} for artifacts
        {soft !== null && `; the server warns at ${sizeWords(soft)}`}
      </span>
      <span className={styles.meter} data-full={bytes >= (soft ?? most) || undefined} aria-hidden="true">
        <span style={{ width: `${share * 100}%` }} />
      </span>
    </div>
  );
}

/** The names that this page shows for some kinds of data in place of their names in the API. */
const removedNames: Readonly<Record<string, string>> = {
  audit: 'audit entries',
  stats: 'statistics',
};

function nameOf(kind: string): string {
  return Object.entries(kept).find(([one]) => one === kind)?.[1] ?? kind;
}

function Collect(): ReactNode {
  const refresh = useRefresh();
  const { act, isBusy, error } = useActions(() => refresh({ queryKey: ['storage'] }));
  const [found, setFound] = useState<{ readonly answer: AnswerOf<'collectGarbage'>; readonly isDone: boolean }>();
  const [isAsking, setAsking] = useState(false);
  const collect = (isDryRun: boolean) =>
    act(async (client) => {
      const answer = await client.call('collectGarbage', { query: isDryRun ? { dry_run: true } : {} });
      setFound({ answer, isDone: !isDryRun });
    });
  return (
    <Card
      title="What retention would remove"
      end={
        <>
          <Button size="small" disabled={isBusy} onClick={() => void collect(true)}>
            Preview
          </Button>
          <Button size="small" look="danger" icon={Trash2} disabled={isBusy} onClick={() => setAsking(true)}>
            Remove now…
          </Button>
        </>
      }
    >
      <div role="status">
        {!found && <p className={styles.quiet}>The server removes expired data every five minutes.</p>}
        {found && <Removed {...found} />}
      </div>
      {error !== null && <ErrorNote text={error} />}
      {isAsking && (
        <Confirm
          title="Remove expired data?"
          text="Runs, logs, artifacts and other data that are older than their retention are deleted. This cannot be undone."
          yes="Remove it"
          no="Leave it"
          confirm={() => void collect(false)}
          close={() => setAsking(false)}
        />
      )}
    </Card>
  );
}

function Removed({
  answer: { removed, done },
  isDone,
}: {
  readonly answer: AnswerOf<'collectGarbage'>;
  readonly isDone: boolean;
}): ReactNode {
  const { file_bytes: files, database_bytes: database, ...counts } = removed;
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  if (parts.length === 0 && files + database === 0)
    return <p>{isDone ? 'No data had expired.' : 'No data has expired.'}</p>;
  return (
    <>
      <p>
        {isDone ? 'Removed: ' : 'Would be removed: '}
        {parts
          .map(([kind, count]) => `${countWords(count)} ${removedNames[kind] ?? kind.replaceAll('_', ' ')}`)
          .join(', ')}
        {`${parts.length > 0 ? '; ' : ''}${sizeWords(files + database)}`}
      </p>
      {!done && <p>There is more expired data. Remove again to continue.</p>}
    </>
  );
}
