// The channels of flwd.yaml, which report runs to other services. The page says what keeps a channel from sending, and
// can test a channel.

import { Send } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import type { AnswerOf } from '../../contract/operations.ts';
import { Button } from '../design/controls/Button.tsx';
import { type Column, Table } from '../design/table/Table.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { PageHeader } from '../design/text/PageHeader.tsx';
import { Age } from '../design/text/Time.tsx';
import { useActions } from '../session/actions.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { Empty, ErrorNote, Shown, WithCode } from '../widgets/Notes.tsx';
import { harmless } from '../words.ts';
import styles from './Admin.module.css';

type Channel = AnswerOf<'listChannels'>['channels'][number];
type Tested = AnswerOf<'testChannel'>;

/** The height of all rows if one of them says why a channel cannot send. */
const higher = { rowRem: 4.25, compactRem: 6 };

export function ChannelsPage(): ReactNode {
  const may = useScopes();
  const refresh = useRefresh();
  const channels = useAnswer(['channels'], (client, signal) => client.call('listChannels', { signal }));
  const { act, isBusy, error } = useActions(() => refresh({ queryKey: ['channels'] }));
  const [tested, setTested] = useState<Tested | null>(null);
  const mayTest = may('admin') === true;
  const columns = useMemo(() => {
    const test = (name: string): void => {
      setTested(null);
      void act(async (client) => setTested(await client.call('testChannel', { path: { name } })));
    };
    return columnsOf(mayTest ? (name) => <TestButton name={name} isBusy={isBusy} test={test} /> : () => null);
  }, [mayTest, isBusy]);
  return (
    <>
      <PageHeader title="Channels" count={channels.data?.channels.length} />
      {error !== null && <ErrorNote text={error} />}
      {tested && !tested.delivered && <ErrorNote text={testedWords(tested)} />}
      <p role="status" className={tested?.delivered ? styles.bar : 'unseen'}>
        {tested?.delivered && testedWords(tested)}
      </p>
      <Shown of={channels} what="channels">
        {({ channels: rows }) =>
          rows.length === 0 ? (
            <Empty>
              No channels yet. Add one under <code>notify.channels</code> in flwd.yaml.
            </Empty>
          ) : (
            <Table
              label="Channels"
              rows={rows}
              columns={columns}
              keyOf={({ name }) => name}
              {...(rows.some((channel) => wrongOf(channel) !== null) && higher)}
              compact={(channel) => (
                <div className={styles.compact}>
                  <span className={styles.inLine}>
                    <span>{channel.name}</span>
                    <span className={styles.quiet}>{channel.type}</span>
                  </span>
                  {columns.at(-1)?.cell(channel)}
                  <span className={styles.wholeLine}>
                    <State of={channel} />
                  </span>
                </div>
              )}
            />
          )
        }
      </Shown>
    </>
  );
}

function columnsOf(testOf: (name: string) => ReactNode): readonly Column<Channel>[] {
  return [
    { id: 'name', head: 'Name', width: '14%', cell: ({ name }) => <span title={name}>{name}</span> },
    { id: 'type', head: 'Type', width: '110px', cell: ({ type }) => type },
    {
      id: 'origin',
      head: 'Sends to',
      width: '20%',
      leavesBelowPx: 1_000,
      cell: ({ origin }) =>
        origin === null ? <span className={styles.quiet}>not shown</span> : <code>{harmless(origin)}</code>,
    },
    { id: 'state', head: 'Last notification', cell: (channel) => <State of={channel} /> },
    { id: 'actions', head: 'Actions', isHeadUnseen: true, width: '110px', cell: ({ name }) => testOf(name) },
  ];
}

/** Returns why the channel cannot send, or why its last message failed; null if nothing is wrong. */
function wrongOf({ problem, waiting, last_delivery: last }: Channel): string | null {
  return problem ?? waiting?.error ?? last?.error ?? null;
}

/** Shows why the channel cannot send, which messages wait, or how the last notification ended. */
function State({ of }: { readonly of: Channel }): ReactNode {
  const { origin, problem, waiting, last_delivery: last } = of;
  const wrong = wrongOf(of);
  if (problem === null && !waiting && !last) {
    // The origin is null for callers who do not administer the whole instance. The API shows them only the
    // notifications about runs that they may read.
    return (
      <span className={styles.quiet}>
        {origin === null ? 'no notification that you may see' : 'no notification yet'}
      </span>
    );
  }
  return (
    <span className={styles.stacked}>
      {waiting && problem === null && (
        <span className={styles.inLine}>
          <Chip look="failed">{waiting.messages === 1 ? '1 waits' : `${waiting.messages} wait`}</Chip>
          <Age at={waiting.since} />
        </span>
      )}
      {last && !waiting && problem === null && (
        <span className={styles.inLine}>
          <Chip look={last.status === 'failed' ? 'failed' : 'plain'}>{last.status}</Chip>
          <Age at={last.at} />
        </span>
      )}
      {wrong !== null && (
        <span className={`${styles.twoLines} ${styles.error}`} title={harmless(wrong)}>
          <WithCode text={harmless(wrong)} />
        </span>
      )}
    </span>
  );
}

function TestButton(o: {
  readonly name: string;
  readonly isBusy: boolean;
  readonly test: (name: string) => void;
}): ReactNode {
  return (
    <span className={styles.actions}>
      <Button size="small" icon={Send} disabled={o.isBusy} aria-label={`Test ${o.name}`} onClick={() => o.test(o.name)}>
        Test
      </Button>
    </span>
  );
}

function testedWords({ name, origin, delivered, error }: Tested): string {
  if (delivered) return `${name}: ${origin === null ? 'the receiver' : harmless(origin)} accepted the test message.`;
  return `${name}: the test message was not delivered: ${harmless(error ?? 'the receiver gave no reason')}`;
}
