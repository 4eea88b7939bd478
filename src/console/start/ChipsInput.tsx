// Several values in one field: each value is a chip, and the next value is typed after them. The value that is being
// typed already counts, so nothing is lost if the job is started before Enter is pressed.

import { X } from 'lucide-react';
import { type ClipboardEvent, type KeyboardEvent, type ReactNode, useRef, useState } from 'react';
import styles from './ChipsInput.module.css';

export function ChipsInput(o: {
  readonly id: string;
  readonly label: string;
  readonly describedBy: string;
  readonly isWrong: boolean;
  readonly placeholder: string;
  readonly texts: readonly string[];
  readonly set: (texts: readonly string[]) => void;
}): ReactNode {
  const { texts, set, label } = o;
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState('');
  // If an earlier run's arguments were filled in, this is false, and the last value is a chip, too.
  const isTyping = typed !== '' && texts.at(-1) === typed;
  const chips = isTyping ? texts.slice(0, -1) : texts;
  const write = (text: string): void => {
    setTyped(text);
    set(text === '' ? chips : [...chips, text]);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      setTyped('');
    } else if (event.key === 'Backspace' && !isTyping && chips.length > 0) {
      event.preventDefault();
      set(chips.slice(0, -1));
    }
  };
  const onPaste = (event: ClipboardEvent): void => {
    const lines = event.clipboardData.getData('text').split(/\r?\n/).filter(Boolean);
    if (lines.length < 2) return;
    event.preventDefault();
    set([...texts, ...lines]);
    setTyped('');
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a click beside the chips only helps the pointer
    // biome-ignore lint/a11y/useKeyWithClickEvents: the key Tab leads to the input
    <div className={styles.box} data-wrong={o.isWrong || undefined} onClick={() => input.current?.focus()}>
      {chips.map((text, index) => (
        <span key={`${index} ${text}`} className={styles.chip}>
          {text === '' ? '(empty)' : text}
          <button
            type="button"
            aria-label={`Remove ${text} from ${label}`}
            onClick={() => {
              set(texts.toSpliced(index, 1));
              input.current?.focus();
            }}
          >
            <X size={12} strokeWidth={2.2} aria-hidden="true" />
          </button>
        </span>
      ))}
      <input
        ref={input}
        id={o.id}
        type="text"
        className={styles.input}
        aria-describedby={o.describedBy}
        aria-invalid={o.isWrong}
        placeholder={chips.length === 0 ? o.placeholder : ''}
        autoComplete="off"
        spellCheck={false}
        value={isTyping ? typed : ''}
        onChange={(event) => write(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
        onBlur={() => setTyped('')}
      />
    </div>
  );
}
