// The query of the runs: a text whose words are drawn as tokens, with completion of filters and their values. Users
// copy and paste it as text.

import { ListFilter, X } from 'lucide-react';
import { type ClipboardEvent, type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { CopyButton } from '../design/controls/CopyButton.tsx';
import { Kbd } from '../design/text/Kbd.tsx';
import { narrowPx, useWidth } from '../design/width.ts';
import { harmless } from '../words.ts';
import { type Completion, completionsOf, type KnownValues } from './completions.ts';
import styles from './QueryField.module.css';
import { readRunQuery, toText, wordsOf } from './run-query.ts';

type Props = {
  readonly text: string;
  readonly onChange: (text: string) => void;
  readonly known: KnownValues;
  /** How many runs match, in words. */
  readonly count: string;
};

const isFilter = (word: string): boolean => /^-?[a-z]+:./s.test(word);

export function QueryField(o: Props): ReactNode {
  const { tokens, draft, write } = useQueryText(o.text, o.onChange);
  const [isOpen, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const isNarrow = useWidth() < narrowPx;
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const offered = isOpen ? completionsOf(draft, o.known) : [];
  const show = (words: readonly string[], rest: string): void => {
    setAt(-1);
    write(words, rest);
  };
  const take = ({ text, isWhole }: Completion): void => {
    setOpen(!isWhole);
    if (isWhole) show([...tokens, text], '');
    else show(tokens, text);
    input.current?.focus();
  };
  const commit = (): void => {
    setOpen(false);
    show([...tokens, ...wordsOf(draft)], '');
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>): void => {
    const chosen = offered[at] ?? (event.key === 'Tab' && draft !== '' ? offered[0] : undefined);
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      setOpen(true);
      const step = event.key === 'ArrowDown' ? 1 : -1;
      setAt(Math.max(-1, Math.min(offered.length - 1, at + step)));
    } else if ((event.key === 'Enter' || event.key === 'Tab') && chosen) take(chosen);
    else if (event.key === 'Enter') commit();
    else if (event.key === ' ' && isFilter(draft) && !draft.includes('"')) commit();
    else if (event.key === 'Backspace' && draft === '' && tokens.length > 0)
      show(tokens.slice(0, -1), tokens.at(-1) ?? '');
    else if (event.key === 'Escape' && isOpen && offered.length > 0) setOpen(false);
    else return;
    event.preventDefault();
    if (event.key === 'Escape') event.stopPropagation();
  };
  const onPaste = (event: ClipboardEvent<HTMLInputElement>): void => {
    const words = wordsOf(event.clipboardData.getData('text'));
    if (draft !== '' || !words.some(isFilter)) return;
    event.preventDefault();
    show([...tokens, ...words], '');
  };
  return (
    <search className={styles.box}>
      <ListFilter size={16} aria-hidden="true" className={styles.icon} />
      {tokens.map((word, index) => (
        <Token key={`${index} ${word}`} word={word} remove={() => show(tokens.toSpliced(index, 1), draft)} />
      ))}
      <input
        ref={input}
        type="text"
        role="combobox"
        data-search
        aria-label="Filter runs"
        aria-expanded={offered.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        {...(at >= 0 && { 'aria-activedescendant': `${id}-${at}` })}
        className={styles.input}
        placeholder={tokens.length > 0 ? '' : isNarrow ? 'job: status: or text' : 'job: status: label: by: or any text'}
        autoComplete="off"
        spellCheck={false}
        value={draft}
        onChange={(event) => {
          setOpen(event.target.value !== '');
          show(tokens, event.target.value);
        }}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
      />
      <AtEnd text={o.text} count={o.count} />
      {offered.length > 0 && <Offered id={id} offered={offered} at={at} draft={draft} take={take} />}
    </search>
  );
}

function AtEnd({ text, count }: { readonly text: string; readonly count: string }): ReactNode {
  const isNarrow = useWidth() < narrowPx;
  return (
    <>
      <span className={styles.count} role="status">
        {count}
      </span>
      {!isNarrow && (text === '' ? <Kbd>/</Kbd> : <CopyButton text={text} label="Copy the filter as text" />)}
    </>
  );
}

function Token({ word, remove }: { readonly word: string; readonly remove: () => void }): ReactNode {
  const [, name = '', value = word] = /^(-?[a-z]+):(.+)$/s.exec(word) ?? [];
  return (
    <span className={styles.token}>
      {name !== '' && <span>{name}: </span>}
      <b>{harmless(value)}</b>
      <button type="button" aria-label={`Remove ${harmless(word)}`} onClick={remove}>
        <X size={12} strokeWidth={2.2} aria-hidden="true" />
      </button>
    </span>
  );
}

function Offered(o: {
  readonly id: string;
  readonly offered: readonly Completion[];
  readonly at: number;
  readonly draft: string;
  readonly take: (completion: Completion) => void;
}): ReactNode {
  return (
    <div className={styles.popup}>
      <div role="listbox" id={`${o.id}-list`} aria-label="Completions">
        {o.offered.map((completion, index) => (
          <div
            key={completion.text}
            id={`${o.id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === o.at}
            className={styles.option}
            // A click would come too late, because the input would already have lost the focus.
            onPointerDown={(event) => {
              event.preventDefault();
              o.take(completion);
            }}
          >
            <code>{harmless(completion.text)}</code>
            <small>{completion.note}</small>
          </div>
        ))}
      </div>
      <p className={styles.hint} aria-hidden="true">
        -label:rehearsal leaves out runs with this label
        <span>
          <Kbd>Tab</Kbd> accepts a suggestion
        </span>
      </p>
    </div>
  );
}

const typingMs = 300;
/** An invalid filter may be only half typed, so its error is shown later. */
const halfTypedMs = 2_000;

/**
 * Holds the tokens, and the text that is being typed after them. Calls `onChange` when a token is complete, or a moment
 * after the last key.
 */
function useQueryText(text: string, onChange: (text: string) => void) {
  const [state, setState] = useState({ tokens: wordsOf(text), draft: '' });
  const whole = toText([...state.tokens, ...wordsOf(state.draft)]);
  const told = useRef(whole);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // Going back, following a link or choosing a saved filter changes the text.
  useEffect(() => {
    if (text === told.current) return;
    told.current = text;
    clearTimeout(timer.current);
    setState({ tokens: wordsOf(text), draft: '' });
  }, [text]);
  const write = (tokens: readonly string[], draft: string): void => {
    setState({ tokens: [...tokens], draft });
    clearTimeout(timer.current);
    // A filter without a value is still being typed, so it is left out.
    const words = wordsOf(draft).filter((word) => !/^-?[a-z]+:$/.test(word));
    const next = toText([...tokens, ...words]);
    if (next === told.current) return;
    const tell = (): void => {
      told.current = next;
      onChange(next);
    };
    if (draft === '') tell();
    else timer.current = setTimeout(tell, readRunQuery(next, Date.now()).errors.length > 0 ? halfTypedMs : typingMs);
  };
  return { ...state, write };
}
