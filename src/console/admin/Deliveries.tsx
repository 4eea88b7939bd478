// The last deliveries of a webhook, with their arguments, and a button that starts another run with the same arguments.

import { RotateCw } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import type { AnswerOf } from '../../contract/operations.ts';
import { Button } from '../design/controls/Button.tsx';
import { Dialog } from '../design/controls/Dialog.tsx';
import { Chip } from '../design/text/Chip.tsx';
import { Age } from '../design/text/Time.tsx';
import { useActions } from '../session/actions.ts';
import { useAnswer, useRefresh } from '../session/answers.tsx';
import { useScopes } from '../session/scopes.ts';
import { Empty, ErrorNote, Shown } from '../widgets/Notes.tsx';
import { countOf, harmless, runPath } from '../words.ts';
import styles from './Admin.module.css';
import type { Webhook } from './webhook-words.ts';

type Delivery = AnswerOf<'listDeliveries'>['deliveries'][number];

export function Deliveries(o: {
  readonly of: Webhook;
  readonly close: () => void;
  readonly changed: () => void;
}): ReactNode {
  const { id, name, job_id: jobId } = o.of;
  const may = useScopes();
  const refresh = useRefresh();
  const key = ['webhooks', id, 'deliveries'];
  const deliveries = useAnswer(key, (client, signal) =>
    client.call('listDeliveries', { path: { webhook_id: id }, signal }),
  );
  const [started, setStarted] = useState<string | null>(null);
  const { act, isBusy, error } = useActions(() => refresh({ queryKey: key }));
  const sendAgain = (delivery: Delivery): void => {
    setStarted(null);
    void act(async (client) => {
      const path = { webhook_id: id, delivery_id: delivery.id };
      const { run_id: runId } = await client.call('replayDelivery', { path });
      setStarted(runId);
    });
  };
  return (
    <Dialog title={`Deliveries of ${harmless(jobId)}/${name}`} close={o.close} size="wide">
      <div className={styles.form}>
        <p role="status" className={started === null ? 'unseen' : styles.shown}>
          {started !== null && (
            <>
              Started <Link href={runPath(started)}>a run with these arguments</Link>
            </>
          )}
        </p>
        {error !== null && <ErrorNote text={error} />}
        <Shown of={deliveries} what="deliveries">
          {({ deliveries: rows }) =>
            rows.length === 0 ? (
              <Empty>No valid delivery yet. Forged deliveries are in the audit log.</Empty>
            ) : (
              <ul aria-label="Deliveries">
                {rows.map((delivery) => (
                  <Row key={delivery.id} of={delivery}>
                    {may('runs:write') && canBeSent(delivery) && (
                      <Button size="small" icon={RotateCw} disabled={isBusy} onClick={() => sendAgain(delivery)}>
                        Send again
                      </Button>
                    )}
                  </Row>
                ))}
              </ul>
            )
          }
        </Shown>
      </div>
    </Dialog>
  );
}

function Row({ of, children }: { readonly of: Delivery; readonly children: ReactNode }): ReactNode {
  const { at, event, run_id: runId, args, detail, problem, repeats } = of;
  return (
    <li className={styles.delivery}>
      <span className={styles.inLine}>
        <ResultChip of={of} />
        {event !== null && <Chip isMono>{harmless(event)}</Chip>}
        {runId === null ? (
          <Age at={at} />
        ) : (
          <Link href={runPath(runId)} title="The run that the delivery started">
            a run, <Age at={at} />
          </Link>
        )}
        {repeats > 0 && <span className={styles.quiet}>came again {countOf(repeats, 'time')}</span>}
      </span>
      <span className={styles.actions}>{children}</span>
      {args !== null && <code className={styles.wholeLine}>{harmless(JSON.stringify(args))}</code>}
      {problem !== null && <span className={`${styles.wholeLine} ${styles.error}`}>{harmless(detail ?? problem)}</span>}
    </li>
  );
}

/** A delivery can start another run if its arguments are stored with it or with its run. */
function canBeSent({ args, run_id: runId }: Delivery): boolean {
  return args !== null || runId !== null;
}

export function ResultChip({ of: { result } }: { readonly of: Pick<Delivery, 'result'> }): ReactNode {
  return <Chip look={result === 'refused' ? 'failed' : 'plain'}>{result}</Chip>;
}
