// The "Go to" dialog (Ctrl-K): finds jobs, pages, and a run by its id.

import { type ReactNode, useState } from 'react';
import { useLocation } from 'wouter';
import { Dialog } from '../design/controls/Dialog.tsx';
import { Input } from '../design/controls/Input.tsx';
import { useJobs } from '../jobs/catalogue.ts';
import { harmless, jobPath, runPath } from '../words.ts';
import styles from './Palette.module.css';

type Entry = { readonly href: string; readonly name: string; readonly kind: string };

const pages: readonly Entry[] = [
  { href: '/jobs', name: 'Jobs', kind: 'page' },
  { href: '/runs', name: 'Runs', kind: 'page' },
  { href: '/runs?q=status%3Afailed', name: 'Failed runs', kind: 'page' },
  { href: '/runs?q=status%3Arunning', name: 'Running runs', kind: 'page' },
  { href: '/system', name: 'System', kind: 'page' },
];
const mostShown = 12;

export function Palette({ close }: { readonly close: () => void }): ReactNode {
  const [, navigate] = useLocation();
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const { data } = useJobs();
  const wanted = text.trim().toLowerCase();
  const jobs = (data?.jobs ?? []).map(
    ({ id, title }): Entry => ({ href: jobPath(id), name: harmless(title ? `${id} – ${title}` : id), kind: 'job' }),
  );
  const byId: Entry[] = /^run_\w+$/i.test(text.trim())
    ? [{ href: runPath(text.trim()), name: text.trim(), kind: 'run' }]
    : [];
  const search: Entry[] =
    wanted === ''
      ? []
      : [{ href: `/runs?q=${encodeURIComponent(text.trim())}`, name: `Runs with “${text.trim()}”`, kind: 'search' }];
  const matching = [...pages, ...jobs].filter(({ name }) => name.toLowerCase().includes(wanted));
  const found = [...byId, ...matching.slice(0, mostShown), ...search];
  const at = Math.min(chosen, Math.max(0, found.length - 1));
  const go = (entry: Entry | undefined): void => {
    if (!entry) return;
    close();
    navigate(entry.href);
  };
  return (
    <Dialog title="Go to" close={close}>
      <Input
        role="combobox"
        aria-label="Job, page or run"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={found.length > 0 ? `palette-${at}` : undefined}
        value={text}
        spellCheck={false}
        onChange={(event) => {
          setText(event.target.value);
          setChosen(0);
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setChosen(Math.min(found.length - 1, at + 1));
          else if (event.key === 'ArrowUp') setChosen(Math.max(0, at - 1));
          else if (event.key === 'Enter') go(found[at]);
          else return;
          event.preventDefault();
        }}
      />
      <div id="palette-list" role="listbox" aria-label="Found" className={styles.list}>
        {found.map((entry, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the input that controls the list
          <div
            key={entry.href}
            id={`palette-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onClick={() => go(entry)}
          >
            <span>{entry.name}</span> <span className={styles.kind}>{entry.kind}</span>
          </div>
        ))}
      </div>
    </Dialog>
  );
}
