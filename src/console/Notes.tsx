// The small pieces that every page is made of: states, times, and what is said where there is nothing to show.

import type { ReactNode } from 'react';
import type { StepStatus } from '../domain/run.ts';
import { useNow } from './loading.ts';
import { fullTime, relativeTime, statusLooks } from './words.ts';

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

export function Fault({ text, again }: { readonly text: string; readonly again?: () => void }): ReactNode {
  return (
    <div className="note note-bad" role="alert">
      <p>{text}</p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
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

/** What is there, or why it is not. */
export function Shown<T>(o: {
  readonly of: { readonly value: T | null; readonly fault: string | null; readonly again: () => void };
  readonly what: string;
  readonly children: (value: T) => ReactNode;
}): ReactNode {
  const { value, fault, again } = o.of;
  return (
    <>
      {fault !== null && <Fault text={fault} again={again} />}
      {value !== null ? o.children(value) : fault === null && <Loading what={o.what} />}
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

export function Code({ label, text }: { readonly label: string; readonly text: string }): ReactNode {
  return (
    <Scrolls label={label} className="code">
      <pre>{text}</pre>
    </Scrolls>
  );
}
