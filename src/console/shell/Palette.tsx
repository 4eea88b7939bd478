// The palette (Ctrl K): jumps to jobs, their actions and runs, to pages, and to a run by its id or address. After `>`
// it offers only commands.

import { Dialog as Base } from '@base-ui/react/dialog';
import { Keyboard, Search, SunMoon } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useDeferredValue, useMemo, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import dialog from '../design/controls/Dialog.module.css';
import { Kbd } from '../design/text/Kbd.tsx';
import { StatusIcon } from '../design/text/Status.tsx';
import { useJobs } from '../jobs/catalog.ts';
import { useFavourites } from '../jobs/favourites.ts';
import { useAnswer } from '../session/answers.tsx';
import { useNow } from '../session/clock.ts';
import { forForm } from '../start/form-focus.ts';
import styles from './Palette.module.css';
import { type Entry, entriesFor, type Group, type Job, partsOf, rankedJobs } from './palette-entries.ts';
import { useSettings } from './settings.ts';

const mostRuns = 4;
const noJobs: readonly Job[] = [];
const keptMs = 30_000;

/**
 * Takes the focus at once. The dialog would set the focus one frame later, and keys pressed before that would go to the
 * page.
 */
function focusAtOnce(input: HTMLInputElement | null): void {
  input?.focus();
}

export function Palette({ close, openHelp }: { readonly close: () => void; readonly openHelp: () => void }): ReactNode {
  const [, navigate] = useLocation();
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const left = useRef<'page' | 'form' | null>(null);
  const [opener] = useState(() => document.activeElement);
  const groups = useGroups(text, openHelp);
  const entries = groups.flatMap((group) => group.entries);
  const at = Math.min(chosen, Math.max(0, entries.length - 1));
  const go = (entry: Entry | undefined): void => {
    if (!entry) return;
    close();
    if (entry.href !== undefined) {
      left.current = entry.isForm ? 'form' : 'page';
      navigate(entry.href, { state: entry.isForm ? forForm : null });
    }
    entry.act?.();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') setChosen(Math.min(entries.length - 1, at + 1));
    else if (event.key === 'ArrowUp') setChosen(Math.max(0, at - 1));
    else if (event.key === 'Enter') go(entries[at]);
    else return;
    event.preventDefault();
  };
  return (
    <Base.Root open onOpenChange={(isOpen) => !isOpen && close()}>
      <Base.Portal>
        <Base.Backdrop className={dialog.veil} />
        <Base.Popup
          className={`${dialog.dialog} ${styles.palette}`}
          aria-label="Jump to"
          // If the palette has opened another page, the element that had the focus before is gone. A form on that page
          // takes the focus itself.
          finalFocus={() => {
            if (left.current === 'form') return false;
            return left.current === null && opener instanceof HTMLElement ? opener : document.getElementById('main');
          }}
        >
          <div className={styles.field}>
            <Search size={16} aria-hidden="true" />
            <input
              ref={focusAtOnce}
              role="combobox"
              aria-label="Job, page or run"
              aria-expanded="true"
              aria-controls="palette-list"
              aria-activedescendant={entries.length > 0 ? `palette-${at}` : undefined}
              placeholder="Job, page or run"
              value={text}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => {
                setText(event.target.value);
                setChosen(0);
              }}
              onKeyDown={onKeyDown}
            />
            <Kbd>Esc</Kbd>
          </div>
          <Found groups={groups} chosen={entries[at]} parts={partsOf(text.replace(/^\s*>/, ''))} go={go} />
          <p className={styles.foot} aria-hidden="true">
            <Kbd>↑</Kbd> <Kbd>↓</Kbd> choose <Kbd>↵</Kbd> open <Kbd>&gt;</Kbd> commands only
          </p>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

function Found({
  groups,
  chosen,
  parts,
  go,
}: {
  readonly groups: readonly Group[];
  readonly chosen: Entry | undefined;
  readonly parts: readonly string[];
  readonly go: (entry: Entry) => void;
}): ReactNode {
  const entries = groups.flatMap((group) => group.entries);
  return (
    <div id="palette-list" role="listbox" aria-label="Found" className={styles.list}>
      {groups.map((group) => (
        // biome-ignore lint/a11y/useSemanticElements: a list to choose from contains no fieldset
        <div key={group.title} role="group" aria-label={group.title}>
          <div className={styles.heading} aria-hidden="true">
            {group.title}
          </div>
          {group.entries.map((entry) => {
            const index = entries.indexOf(entry);
            return (
              <Option
                key={entry.key}
                id={`palette-${index}`}
                entry={entry}
                parts={parts}
                isChosen={entry === chosen}
                go={() => go(entry)}
              />
            );
          })}
        </div>
      ))}
    </div>
  );
}

function useGroups(text: string, openHelp: () => void) {
  const { data } = useJobs();
  const favourites = useFavourites().jobIds;
  const settings = useSettings();
  const nowMs = useNow(60_000);
  const typed = useDeferredValue(text.trim());
  const jobs = data?.jobs ?? noJobs;
  const isSearch = typed !== '' && !typed.startsWith('>');
  const [job] = useMemo(() => (isSearch ? rankedJobs(jobs, partsOf(typed)) : []), [isSearch, jobs, typed]);
  // The last runs of the job that matches best. If no job matches, the runs that contain the text.
  const query = { limit: mostRuns, ...(isSearch && (job ? { job_id: job.id } : { q: typed })) };
  const runs = useAnswer(['palette runs', query], (client, signal) => client.call('listRuns', { query, signal }), {
    staleTime: keptMs,
    placeholderData: (earlier) => earlier,
  }).data?.runs;
  return useMemo(() => {
    const commands = [
      { key: 'help', name: 'Show the keys', icon: Keyboard, act: openHelp },
      ...settings.flatMap((entry): Entry[] =>
        entry === 'rule' || !entry.act ? [] : [{ key: entry.label, name: entry.label, icon: SunMoon, act: entry.act }],
      ),
    ];
    return entriesFor({ text, jobs, runs: runs ?? [], favourites, commands, nowMs });
  }, [text, jobs, runs, favourites, settings, nowMs, openHelp]);
}

function Option({
  id,
  entry,
  parts,
  isChosen,
  go,
}: {
  readonly id: string;
  readonly entry: Entry;
  readonly parts: readonly string[];
  readonly isChosen: boolean;
  readonly go: () => void;
}): ReactNode {
  const { icon: Icon, name, before, note } = entry;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the input that controls the list
    <div
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={isChosen}
      className={styles.option}
      onClick={go}
      ref={(option) => {
        if (isChosen) option?.scrollIntoView({ block: 'nearest' });
      }}
    >
      {typeof Icon === 'string' ? <StatusIcon of={Icon} size={16} /> : <Icon size={16} aria-hidden="true" />}
      <span className={styles.name}>
        {before}
        <Marked text={name} parts={parts} />
      </span>
      {note !== undefined && <span className={styles.note}>{note}</span>}
    </div>
  );
}

/** Underlines the parts of the text that match. */
function Marked({ text, parts }: { readonly text: string; readonly parts: readonly string[] }): ReactNode {
  if (parts.length === 0) return text;
  const escaped = parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return text
    .split(new RegExp(`(${escaped.join('|')})`, 'i'))
    .map((piece, index) => (index % 2 === 1 ? <mark key={index}>{piece}</mark> : piece));
}
