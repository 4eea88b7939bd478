// The small pieces that every page is made of: states, times, and what is said where there is nothing to show.

import { createContext, type ReactNode, useCallback, useContext, useEffect, useId, useMemo, useState } from 'react';
import type { StepStatus } from '../../domain/run.ts';
import { useNow } from '../session/clock.ts';
import type { Loaded } from '../session/loading.ts';
import { fullTime, relativeTime, statusLooks } from '../words.ts';

export function Status({ of, isBare }: { readonly of: StepStatus; readonly isBare?: boolean }): ReactNode {
  const { glyph, word } = statusLooks[of];
  return (
    <span className={`status status-${of}`} title={word}>
      <span aria-hidden="true">{glyph}</span>
      <span className={isBare ? 'unseen' : ''}> {word}</span>
    </span>
  );
}

export function Time({ at }: { readonly at: string }): ReactNode {
  const now = useNow(10_000);
  return (
    <time dateTime={at} title={fullTime(at)}>
      {relativeTime(at, now)}
    </time>
  );
}

export function ErrorNote({
  text,
  again,
}: {
  readonly text: string;
  readonly again?: (() => void) | undefined;
}): ReactNode {
  return (
    <div className="note note-bad" role="alert">
      <p>
        <WithCode text={text} />
      </p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What the server says marks code with backticks. */
export function WithCode({ text }: { readonly text: string }): ReactNode {
  const parts = text.split(/`([^`]+)`/);
  return parts.map((part, index) => (index % 2 === 1 ? <code key={`${index} ${part}`}>{part}</code> : part));
}

export function Empty({ children }: { readonly children: ReactNode }): ReactNode {
  return <div className="note note-empty">{children}</div>;
}

export function Loading({ what }: { readonly what: string }): ReactNode {
  return (
    <p className="loading" role="status">
      Reading {what}…
    </p>
  );
}

type Told = { readonly id: string; readonly text: string; readonly again: (() => void) | undefined };
type Tell = { readonly told: readonly Told[]; readonly change: (id: string, told: Told | null) => void };

const ErrorsContext = createContext<Tell | null>(null);

/** An error that several parts of it have is shown once, above them, and they are asked for again together. */
export function ErrorsOnce({ children }: { readonly children: ReactNode }): ReactNode {
  const [told, setTold] = useState<readonly Told[]>([]);
  const change = useCallback(
    (id: string, one: Told | null) =>
      setTold((now) => [...now.filter((other) => other.id !== id), ...(one ? [one] : [])]),
    [],
  );
  const tell = useMemo((): Tell => ({ told, change }), [told, change]);
  const shared = new Set(told.filter(({ text }) => isShared(told, text)).map(({ text }) => text));
  return (
    <ErrorsContext value={tell}>
      {[...shared].map((text) => {
        const again = told.flatMap((one) => (one.text === text && one.again ? [one.again] : []));
        const all = (): void => {
          for (const one of again) one();
        };
        return <ErrorNote key={text} text={text} again={again.length > 0 ? all : undefined} />;
      })}
      {children}
    </ErrorsContext>
  );
}

function isShared(told: readonly Told[], text: string): boolean {
  return told.filter((one) => one.text === text).length > 1;
}

/** @returns whether it is shown elsewhere */
function useToldOnce(text: string | null, again: (() => void) | undefined): boolean {
  const tell = useContext(ErrorsContext);
  const id = useId();
  const change = tell?.change;
  useEffect(() => {
    if (text === null || !change) return undefined;
    change(id, { id, text, again });
    return () => change(id, null);
  }, [id, text, again, change]);
  return text !== null && tell !== null && isShared(tell.told, text);
}

/** Of what is refused there is none. */
export function againOf({ isRefused, again }: Loaded<unknown>): (() => void) | undefined {
  return isRefused ? undefined : again;
}

/** What is there, or why it is not. */
export function Shown<T>(o: {
  readonly of: Loaded<T>;
  readonly what: string;
  readonly children: (value: T) => ReactNode;
}): ReactNode {
  const { value, error } = o.of;
  const again = againOf(o.of);
  // One of several parts that a token may not read is no error of the page.
  const isLeftOut = useContext(ErrorsContext) !== null && o.of.isRefused;
  const isToldElsewhere = useToldOnce(isLeftOut ? null : error, again);
  return (
    <>
      {isLeftOut && (
        <p className="quiet">
          Your token does not let you see this. <WithCode text={error ?? ''} />
        </p>
      )}
      {error !== null && !isLeftOut && !isToldElsewhere && <ErrorNote text={error} again={again} />}
      {value !== null ? o.children(value) : error === null && <Loading what={o.what} />}
    </>
  );
}

export function Facts({ of }: { readonly of: readonly (readonly [name: string, value: ReactNode])[] }): ReactNode {
  return (
    <dl className="facts">
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

/** What may be larger than its room: it scrolls, by keys too. */
export function Scrolls(o: {
  readonly label: string;
  readonly className?: string;
  readonly children: ReactNode;
}): ReactNode {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <section className={o.className ?? 'scrolls'} aria-label={o.label} tabIndex={0}>
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
      <table>
        <thead>
          <tr>
            {o.head.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
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
    <Scrolls label={label} className="code">
      <pre>{text}</pre>
    </Scrolls>
  );
}
