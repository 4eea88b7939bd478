// Small parts that every page uses: errors, empty states, answers that are loading, facts and plain tables.

import { CircleX } from 'lucide-react';
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useId,
  useLayoutEffect,
  useMemo,
  useState,
} from 'react';
import { ApiProblem } from '../../client/api-problem.ts';
import { Button } from '../design/controls/Button.tsx';
import { HeadRow } from '../design/table/HeadRow.tsx';
import { type Answer, failureOf, failureText } from '../session/answers.tsx';
import { useSession } from '../session/session.tsx';
import styles from './Notes.module.css';

type Retry = (() => unknown) | undefined;

export function ErrorNote({
  text,
  retry,
  children,
}: {
  readonly text: string;
  readonly retry?: Retry;
  /** Links that may help. */
  readonly children?: ReactNode;
}): ReactNode {
  return (
    <div className={styles.error} role="alert">
      <CircleX size={14} strokeWidth={2.2} aria-hidden="true" />
      <p>
        <WithCode text={text} />
      </p>
      {children}
      {retry && (
        <Button size="small" onClick={() => void retry()}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** The server's texts mark code with backticks. */
export function WithCode({ text }: { readonly text: string }): ReactNode {
  const parts = text.split(/`([^`]+)`/);
  return parts.map((part, index) => (index % 2 === 1 ? <code key={`${index} ${part}`}>{part}</code> : part));
}

/** Says what will be shown here, and what to do so that there is something to show. */
export function Empty({ children }: { readonly children: ReactNode }): ReactNode {
  return <div className={styles.empty}>{children}</div>;
}

export function Loading({ what }: { readonly what: string }): ReactNode {
  return (
    <p className={`appearing ${styles.loading}`} role="status">
      Loading {what}…
    </p>
  );
}

type PartError = { readonly id: string; readonly text: string; readonly retry: Retry };
type Errors = { readonly errors: readonly PartError[]; readonly change: (id: string, error: PartError | null) => void };

const ErrorsContext = createContext<Errors | null>(null);

/**
 * If several parts of a page have the same error, shows it only once, above the parts, with a button that retries all
 * of them.
 */
export function ErrorsOnce({ children }: { readonly children: ReactNode }): ReactNode {
  const [errors, setErrors] = useState<readonly PartError[]>([]);
  const change = useCallback(
    (id: string, one: PartError | null) =>
      setErrors((now) => [...now.filter((other) => other.id !== id), ...(one ? [one] : [])]),
    [],
  );
  const context = useMemo((): Errors => ({ errors, change }), [errors, change]);
  const shared = new Set(errors.filter(({ text }) => isShared(errors, text)).map(({ text }) => text));
  return (
    <ErrorsContext value={context}>
      {[...shared].map((text) => {
        const retries = errors.flatMap((one) => (one.text === text && one.retry ? [one.retry] : []));
        const retryAll = (): void => {
          for (const retry of retries) retry();
        };
        return <ErrorNote key={text} text={text} retry={retries.length > 0 ? retryAll : undefined} />;
      })}
      {children}
    </ErrorsContext>
  );
}

function isShared(errors: readonly PartError[], text: string): boolean {
  return errors.filter((one) => one.text === text).length > 1;
}

/** @returns whether `ErrorsOnce` shows the error; if so, the part does not show it */
function useSharedError(text: string | null, retry: Retry): boolean {
  const context = useContext(ErrorsContext);
  const id = useId();
  const change = context?.change;
  // This is a layout effect, so that a common error is never painted twice.
  useLayoutEffect(() => {
    if (text === null || !change) return undefined;
    change(id, { id, text, retry });
    return () => change(id, null);
  }, [id, text, retry, change]);
  return text !== null && context !== null && isShared(context.errors, text);
}

export function isRefused(answer: Answer<unknown>, status: 401 | 403 | 404 = 403): boolean {
  const failure = failureOf(answer);
  return failure instanceof ApiProblem && failure.status === status;
}

/**
 * Returns how to retry. Returns undefined if the object does not exist or the caller may not read it, because retrying
 * does not help then.
 */
export function retryOf(answer: Answer<unknown>): Retry {
  return isRefused(answer) || isRefused(answer, 404) ? undefined : answer.refetch;
}

/** Says that the token may not read this. That is not an error of the page. */
export function Refused({ of }: { readonly of: Answer<unknown> }): ReactNode {
  return (
    <p className={styles.refused}>
      Your token does not let you see this. <WithCode text={failureOf(of)?.message ?? ''} />
    </p>
  );
}

/** Shows an answer, or that it is loading, or why it could not be read. */
export function Shown<T>(o: {
  readonly of: Answer<T>;
  readonly what: string;
  /** Links to show if the object does not exist. */
  readonly linksIfMissing?: ReactNode;
  readonly children: (value: T) => ReactNode;
}): ReactNode {
  const { data } = o.of;
  // The sign-in dialog already says that a token is needed.
  const isAskedFor = useSession().refusal !== null && isRefused(o.of, 401);
  const isMissing = isRefused(o.of, 404);
  // The title of a 404 says the same as its message, so only the message is shown.
  const error = isAskedFor ? null : isMissing ? (failureOf(o.of)?.message ?? null) : failureText(o.of);
  const retry = retryOf(o.of);
  const isLeftOut = isRefused(o.of);
  const isShownAbove = useSharedError(isLeftOut ? null : error, retry);
  return (
    <>
      {isLeftOut && <Refused of={o.of} />}
      {error !== null && !isLeftOut && !isShownAbove && (
        <ErrorNote text={error} retry={retry}>
          {isMissing && o.linksIfMissing !== undefined && <p className={styles.linksIfMissing}>{o.linksIfMissing}</p>}
        </ErrorNote>
      )}
      {data !== undefined ? o.children(data) : error === null && !isAskedFor && <Loading what={o.what} />}
    </>
  );
}

export function Facts({ of }: { readonly of: readonly (readonly [name: string, value: ReactNode])[] }): ReactNode {
  return (
    <dl className={styles.facts}>
      {of
        .filter(([, value]) => value !== null && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A box that scrolls if its content is larger. The keyboard can scroll it, too. */
export function Scrolls(o: {
  readonly label: string;
  readonly className?: string;
  readonly children: ReactNode;
}): ReactNode {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section className={o.className ?? styles.scrolls} aria-label={o.label} tabIndex={0}>
      {o.children}
    </section>
  );
}

export function Table(o: {
  readonly label: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly ReactNode[])[];
  readonly children?: ReactNode;
}): ReactNode {
  return (
    <Scrolls label={o.label}>
      <table className={styles.table}>
        <thead>
          <HeadRow names={o.head} />
        </thead>
        <tbody>
          {o.rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {o.children}
    </Scrolls>
  );
}

export function Code({ label, text }: { readonly label: string; readonly text: string }): ReactNode {
  return (
    <Scrolls label={label} className={styles.code ?? ''}>
      <pre>{text}</pre>
    </Scrolls>
  );
}
