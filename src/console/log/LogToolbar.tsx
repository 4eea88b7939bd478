// The row of controls above a log. They choose which lines are shown and how they look, and move to the next match or
// error.

import { ChevronDown, ChevronUp, Clock, Download, Maximize2, Minimize2, WrapText } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useLocation } from 'wouter';
import { inGroups } from '../../client/shown-steps.ts';
import { IconButton } from '../design/controls/Button.tsx';
import { SearchField } from '../design/controls/Input.tsx';
import { Segmented } from '../design/controls/Segmented.tsx';
import { Select } from '../design/controls/Select.tsx';
import { stepName } from '../graph/instance-grid.ts';
import { countWords, harmless, type Run, type Step } from '../words.ts';
import type { LogLook } from './LogLines.tsx';
import styles from './LogPane.module.css';
import type { LogErrors } from './log-errors.ts';
import type { LogSearch } from './log-search.ts';
import type { RunLog } from './run-log.ts';
import type { LogPlace } from './run-place.ts';
import type { SubRun } from './sub-runs.ts';

export type LogPaneProps = {
  readonly run: Run;
  readonly attempts: readonly Step[];
  readonly subRuns: readonly SubRun[];
  readonly place: LogPlace;
  readonly hrefOf: (place: LogPlace) => string;
  readonly go: (place: LogPlace) => void;
  /** The address of the same place on the other page: the page of the run, or the page of its log. */
  readonly other: { readonly href: string; readonly isFull: boolean };
};

type ToolbarProps = LogPaneProps & {
  readonly step: Step | undefined;
  readonly log: RunLog;
  readonly errors: LogErrors;
  readonly search: LogSearch;
  readonly look: LogLook;
  readonly change: { readonly time: () => void; readonly wrap: () => void; readonly save: () => void };
};

const levels = [
  { value: 'trace', label: 'All' },
  { value: 'warn', label: 'Warn' },
  { value: 'error', label: 'Error' },
] as const;

export function LogToolbar(o: ToolbarProps): ReactNode {
  const { place, go, look, change, other } = o;
  const [, navigate] = useLocation();
  const level = levels.find(({ value }) => value === place.level)?.value ?? 'trace';
  return (
    <div
      className={styles.toolbar}
      role="toolbar"
      aria-label="Log"
      data-full={other.isFull || undefined}
      data-alone={(o.run.steps.length < 2 && o.errors.count === 0) || undefined}
    >
      <StepChoices {...o} />
      <span className={styles.wide}>
        <Segmented
          label="Level"
          choices={levels}
          value={level}
          onChange={(value) => go({ ...place, level: value, line: null })}
        />
      </span>
      <Search {...o} />
      <Turn {...o} />
      <span className={styles.actions}>
        <span className={styles.times}>
          <IconButton icon={Clock} label="Times" aria-pressed={look.hasTime} onClick={change.time} />
        </span>
        <span className={styles.wide}>
          <IconButton icon={WrapText} label="Wrap lines" aria-pressed={look.wraps} onClick={change.wrap} />
          <IconButton icon={Download} label="Download the log" onClick={change.save} />
        </span>
        <IconButton
          icon={other.isFull ? Minimize2 : Maximize2}
          label={other.isFull ? 'Back to the run' : 'Full height'}
          onClick={() => navigate(other.href)}
        />
      </span>
    </div>
  );
}

/** Selects the step and the attempt, if there are several. */
function StepChoices({ run, attempts, place, go, step }: ToolbarProps): ReactNode {
  const { step: chosen, attempt } = place;
  const count = attempts.filter(({ step_id: id }) => id === step?.step_id).length;
  // A step that waits for an approval prints nothing.
  const printing = inGroups(run.steps).filter(({ kind, step_id: id }) => kind !== 'approval' || id === chosen);
  return (
    <>
      {run.steps.length > 1 && (
        <span className={styles.step}>
          <Select
            label="Step"
            choices={[
              { value: '', label: 'All steps' },
              ...printing.map((one) => ({ value: one.step_id, label: harmless(stepName(one)) })),
            ]}
            value={chosen ?? ''}
            onChange={(id) => go({ ...place, step: id || null, attempt: null, line: null })}
          />
        </span>
      )}
      {count > 1 && (
        <Select
          label="Attempt"
          choices={[
            { value: '', label: 'All attempts' },
            ...Array.from({ length: count }, (_, n) => ({ value: String(n + 1), label: `Attempt ${n + 1}` })),
          ]}
          value={attempt === null ? '' : String(attempt)}
          onChange={(one) => go({ ...place, attempt: Number(one) || null, line: null })}
        />
      )}
    </>
  );
}

function Search({ place, go, search, log }: ToolbarProps): ReactNode {
  const { find } = place;
  const [typed, setTyped] = useState({ find, text: find });
  // The address has changed: somebody followed a link, or went back.
  if (typed.find !== find) setTyped({ find, text: find });
  const { text } = typed;
  const isWhole = place.step === null && place.attempt === null && place.level === 'trace';
  const count = isWhole ? log.toldSeq : null;
  return (
    <span className={styles.search}>
      <SearchField
        label="Search the log"
        placeholder={count === null || count < 2 ? 'Search the log' : `Search ${countWords(count)} lines`}
        value={text}
        onChange={(next) => {
          setTyped({ find, text: next });
          if (next === '' && find !== '') go({ ...place, find: '' });
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          if (text !== find) go({ ...place, find: text, line: null });
          else if (search.seq === null) search.again();
          else turnOf({ place, go }, search)(event.shiftKey ? 1 : -1);
        }}
      />
    </span>
  );
}

/** Buttons that move to the next match, or to the next error if there is no search. */
function Turn({ place, go, search, errors }: ToolbarProps): ReactNode {
  const isSearch = place.find !== '';
  if (!isSearch && errors.count === 0) return null;
  const turn = turnOf({ place, go }, isSearch ? search : errors);
  const isStill = isSearch ? !search.hasOthers : errors.block !== null && errors.count < 2;
  const what = isSearch ? 'match' : 'error';
  return (
    <span className={styles.turn} data-look={isSearch ? undefined : 'error'}>
      <span role="status">{isSearch ? search.words : errors.words}</span>
      <IconButton
        icon={ChevronUp}
        label={`Previous ${what}`}
        keys="N"
        data-key="N"
        size="small"
        disabled={isStill}
        onClick={() => turn(-1)}
      />
      <IconButton
        icon={ChevronDown}
        label={`Next ${what}`}
        keys="n"
        data-key="n"
        size="small"
        disabled={isStill}
        onClick={() => turn(1)}
      />
    </span>
  );
}

/** Moves to the next match or error. Removes the line from the URL, because that line would take precedence. */
function turnOf(
  { place, go }: Pick<LogPaneProps, 'place' | 'go'>,
  among: Pick<LogErrors, 'turn'>,
): (by: 1 | -1) => void {
  return (by) => {
    if (place.line !== null) go({ ...place, line: null });
    among.turn(by);
  };
}
