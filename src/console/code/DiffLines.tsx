// Shows what differs between two versions of a file. Removed and added lines have a sign, and not only a colour.

import { type ReactNode, useMemo } from 'react';
import { type DiffRow, fileDiff } from '../../client/file-diff.ts';
import type { JobFile } from '../../client/job-changes.ts';
import { countWords } from '../words.ts';
import styles from './Code.module.css';
import { codeText } from './highlight.ts';

const signs = { same: ' ', added: '+', removed: '−' } as const;
const words = { same: '', added: 'added: ', removed: 'removed: ' } as const;

export function DiffLines({
  before,
  after,
}: {
  readonly before: JobFile | null;
  readonly after: JobFile | null;
}): ReactNode {
  const texts = [before, after].map((file) => (file ? file.text : ''));
  const [old, now] = texts;
  const rows = useMemo(
    () => (typeof old === 'string' && typeof now === 'string' ? fileDiff(old, now) : null),
    [old, now],
  );
  if (typeof old !== 'string' || typeof now !== 'string')
    return <p className={styles.note}>The file is not text, or larger than 1 MiB, so its versions are not compared.</p>;
  if (rows === null) return <p className={styles.note}>The two versions have too little in common to compare them.</p>;
  if (rows.length === 0) return <p className={styles.note}>{sameWords(before, after)}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section aria-label="Difference" className={styles.lines} tabIndex={0}>
      <div className={styles.inner}>
        {rows.map((row, index) => (
          <Row key={index} row={row} />
        ))}
      </div>
    </section>
  );
}

function sameWords(before: JobFile | null, after: JobFile | null): string {
  if (!before || !after) return 'Neither version has any text.';
  return before.executable === after.executable
    ? 'The file is the same in both revisions.'
    : `The text is the same. The file ${after.executable ? 'became' : 'is no longer'} executable.`;
}

function Row({ row }: { readonly row: DiffRow }): ReactNode {
  if (row.kind === 'gap')
    return (
      <div className={styles.gap}>
        {countWords(row.count)} unchanged {row.count === 1 ? 'line' : 'lines'}
      </div>
    );
  const { kind, text, before, after } = row;
  return (
    <div className={styles.line} data-kind={kind}>
      <span className={styles.number}>{before}</span>
      <span className={styles.number}>{after}</span>
      <span className={styles.sign} data-change={kind} aria-hidden="true">
        {signs[kind]}
      </span>
      <code className={styles.text}>
        {kind !== 'same' && <span className="unseen">{words[kind]}</span>}
        {codeText(text)}
      </code>
    </div>
  );
}
