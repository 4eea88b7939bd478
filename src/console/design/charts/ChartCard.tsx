// A card with a chart, its legend, and the same numbers as a table behind a button.

import { Table2 } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { IconButton } from '../controls/Button.tsx';
import { HeadRow } from '../table/HeadRow.tsx';
import { Card } from '../text/Card.tsx';
import styles from './Charts.module.css';

type Legend = { readonly status: string; readonly word: string };

export function ChartCard({
  title,
  count,
  legend = [],
  head,
  rows,
  children,
}: {
  readonly title: string;
  readonly count?: ReactNode;
  readonly legend?: readonly Legend[];
  /** The columns of the table. The first column names the row. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly [name: ReactNode, ...numbers: ReactNode[]])[];
  readonly children: ReactNode;
}): ReactNode {
  const [isTable, setTable] = useState(false);
  return (
    <Card
      title={title}
      count={count}
      end={
        <>
          <Legends of={legend} />
          <IconButton
            icon={Table2}
            label={isTable ? 'Show as chart' : 'Show as table'}
            size="small"
            aria-pressed={isTable}
            onClick={() => setTable(!isTable)}
          />
        </>
      }
    >
      {isTable ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <section className={styles.scroller} aria-label={`${title} as a table`} tabIndex={0}>
          <table className={styles.numbers}>
            <thead>
              <HeadRow names={head} />
            </thead>
            <tbody>
              {rows.map(([name, ...numbers], index) => (
                <tr key={index}>
                  <th scope="row">{name}</th>
                  {numbers.map((number, column) => (
                    <td key={column}>{number}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : (
        children
      )}
    </Card>
  );
}

function Legends({ of }: { readonly of: readonly Legend[] }): ReactNode {
  return (
    <ul className={styles.legend}>
      {of.map(({ status, word }) => (
        <li key={word}>
          <i data-status={status} /> {word}
        </li>
      ))}
    </ul>
  );
}
