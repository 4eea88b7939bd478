// The saved filters above the runs, each with the number of matching runs. A user's own filters are kept in this
// browser.

import { Bookmark, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { Button } from '../design/controls/Button.tsx';
import { Field, Input } from '../design/controls/Input.tsx';
import { Popover } from '../design/controls/Popover.tsx';
import { usePreference } from '../design/preferences.ts';
import { useAnswer } from '../session/answers.tsx';
import { countWords, harmless } from '../words.ts';
import styles from './RunsPage.module.css';
import { readRunQuery } from './run-query.ts';

type Filter = { readonly name: string; readonly text: string };

const everyMs = 30_000;
const mostOwn = 20;

export function SavedFilters(o: {
  readonly text: string;
  readonly isTopLevel: boolean;
  readonly pathOf: (text: string) => string;
}): ReactNode {
  const { own, remove } = useOwnFilters();
  const caller = useCallerName();
  const fixed: readonly Filter[] = [
    { name: 'All', text: '' },
    { name: 'Failed, 24 h', text: 'status:failed since:24h' },
    { name: 'Waiting for approval', text: 'status:waiting_approval' },
    ...(caller === undefined ? [] : [{ name: 'Mine', text: `by:${caller}` }]),
    { name: 'By agents', text: 'trigger:mcp' },
  ];
  return (
    <nav className={styles.filters} aria-label="Saved filters">
      {fixed.map((one) => (
        <FilterLink key={one.name} filter={one} {...o} />
      ))}
      {own.map((one) => (
        <span key={one.name} className={styles.own}>
          <FilterLink filter={one} {...o} />
          <button type="button" aria-label={`Remove the filter ${one.name}`} onClick={() => remove(one.name)}>
            <X size={12} strokeWidth={2.2} aria-hidden="true" />
          </button>
        </span>
      ))}
    </nav>
  );
}

function FilterLink(o: {
  readonly filter: Filter;
  readonly text: string;
  readonly isTopLevel: boolean;
  readonly pathOf: (text: string) => string;
}): ReactNode {
  const { name, text } = o.filter;
  const { data } = useAnswer(
    ['runs counted', text, o.isTopLevel],
    (client, signal) => {
      const { query } = readRunQuery(text, Date.now());
      return client.call('listRuns', { query: { ...query, ...topLevel(o.isTopLevel), limit: 1 }, signal });
    },
    { refetchInterval: everyMs },
  );
  return (
    <Link
      href={o.pathOf(text)}
      replace
      className={styles.filter}
      aria-current={o.text === text ? 'true' : undefined}
      title={text === '' ? 'All runs' : harmless(text)}
    >
      {harmless(name)}{' '}
      <span className={styles.amount} data-loading={data ? undefined : true}>
        {data ? amountWords(data) : ''}
      </span>
    </Link>
  );
}

export function topLevel(isTopLevel: boolean): { readonly top_level?: true } {
  return isTopLevel ? { top_level: true } : {};
}

export function amountWords({
  total,
  total_exact: isExact,
}: {
  readonly total: number;
  readonly total_exact: boolean;
}): string {
  return `${countWords(total)}${isExact ? '' : '+'}`;
}

/** A button that saves the current filter under a name. */
export function SaveFilter({ text }: { readonly text: string }): ReactNode {
  const { own, save } = useOwnFilters();
  const [name, setName] = useState('');
  const isFull = own.length >= mostOwn && own.every((one) => one.name !== name.trim());
  return (
    <Popover
      label="Save filter"
      align="end"
      trigger={
        <Button icon={Bookmark} disabled={text === ''}>
          Save filter
        </Button>
      }
    >
      <form
        className={styles.save}
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim() === '' || isFull) return;
          save({ name: name.trim(), text });
          setName('');
        }}
      >
        <Field
          label="Name"
          hint="The filter is stored in this browser."
          error={isFull ? `This browser already has ${mostOwn} filters. Remove one first.` : null}
        >
          {(attributes) => (
            <Input {...attributes} value={name} maxLength={40} onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        <Button type="submit" look="primary">
          Save
        </Button>
      </form>
    </Popover>
  );
}

function useOwnFilters() {
  const [kept, keep] = usePreference('filters');
  const own = readFilters(kept);
  return {
    own,
    save: (one: Filter) => keep(JSON.stringify([...own.filter(({ name }) => name !== one.name), one])),
    remove: (name: string) => keep(JSON.stringify(own.filter((one) => one.name !== name))),
  };
}

function readFilters(kept: string | null): readonly Filter[] {
  try {
    const all: unknown = JSON.parse(kept ?? '[]');
    if (!Array.isArray(all)) return [];
    return all.flatMap((one: Partial<Filter> | null) =>
      typeof one?.name === 'string' && typeof one.text === 'string' ? [{ name: one.name, text: one.text }] : [],
    );
  } catch {
    return [];
  }
}

function useCallerName(): string | undefined {
  return useAnswer(['instance'], (client, signal) => client.call('getSystemInfo', { signal }), {
    staleTime: Number.POSITIVE_INFINITY,
  }).data?.caller.name;
}
