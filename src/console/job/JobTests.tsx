// The tests that come with a job, and the command that runs them. They run on an instance of their own, so the server
// knows nothing of their results.

import { type ReactNode, useMemo } from 'react';
import { Link } from 'wouter';
import type { JobFiles } from '../../client/job-changes.ts';
import { shellWord } from '../../lib/shell-word.ts';
import { useJobFile, useJobFiles } from '../code/job-files.ts';
import { ShownFiles } from '../code/ShownFiles.tsx';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { Card } from '../design/text/Card.tsx';
import { Shown } from '../widgets/Notes.tsx';
import { countWords, harmless, jobPath } from '../words.ts';
import styles from './JobTests.module.css';
import { type JobTest, readTests } from './job-tests.ts';

const testsFile = 'tests.yaml';

export function JobTests({ jobId }: { readonly jobId: string }): ReactNode {
  const files = useJobFiles(jobId, null);
  return (
    <ShownFiles of={files} what="tests">
      {(found) => <OfFiles jobId={jobId} files={found} />}
    </ShownFiles>
  );
}

function OfFiles({ jobId, files }: { readonly jobId: string; readonly files: JobFiles }): ReactNode {
  const file = useJobFile(jobId, testsFile, files);
  return (
    <Shown of={file} what="the tests">
      {(found) => <OfText jobId={jobId} text={found?.text ?? null} hasFile={found !== null} />}
    </Shown>
  );
}

function OfText(o: { readonly jobId: string; readonly text: string | null; readonly hasFile: boolean }): ReactNode {
  const { jobId, text } = o;
  const tests = useMemo(() => (text === null ? null : readTests(text)), [text]);
  const code = `${jobPath(jobId)}?tab=code&file=${testsFile}`;
  if (!o.hasFile)
    return (
      <Card title="Tests" isFlush>
        <p className={styles.note}>
          This job has no tests. Put a <code>{testsFile}</code> beside its config.yaml, and run the tests with{' '}
          <code>flwd test {harmless(jobId)}</code>.
        </p>
      </Card>
    );
  return (
    <Card
      title="Tests"
      count={tests ? countWords(tests.length) : undefined}
      end={<Link href={code}>{testsFile}</Link>}
      isFlush
    >
      <HowToRun jobId={jobId} />
      {tests === null && (
        <p className={styles.note}>
          The file is not a list of tests. <code>flwd test {harmless(jobId)}</code> says where it is wrong.
        </p>
      )}
      <ul aria-label="Tests">
        {tests?.map((test, index) => (
          <Test key={index} test={test} href={`${code}&line=${test.line}`} />
        ))}
      </ul>
    </Card>
  );
}

function HowToRun({ jobId }: { readonly jobId: string }): ReactNode {
  const command = `flwd test ${shellWord(jobId)}`;
  return (
    <p className={styles.note}>
      Run the tests with <code>{harmless(command)}</code>. <CopyButton label="Copy the command" text={command} /> This
      page does not show their results, because the command runs them on a temporary instance, not on the server.
    </p>
  );
}

function Test({ test, href }: { readonly test: JobTest; readonly href: string }): ReactNode {
  return (
    <li className={styles.test}>
      <Link href={href} className={styles.name}>
        {harmless(test.name)}
      </Link>
      {test.args.length > 0 && <code className={styles.args}>{harmless(test.args.join(' '))}</code>}
      <ul aria-label={`What ${harmless(test.name)} expects`} className={styles.expected}>
        {test.expected.map(({ what, value }, index) => (
          <li key={index}>
            {what}
            {value !== null && (
              <>
                {' '}
                <code>{harmless(value)}</code>
              </>
            )}
          </li>
        ))}
      </ul>
    </li>
  );
}
