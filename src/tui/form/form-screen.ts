// The form of a job. It shows the arguments, checks them with the server while the user types, and starts the run.

import { randomUUID } from 'node:crypto';
import { Box } from 'ink';
import { createElement as h, type ReactElement, useEffect, useMemo, useRef, useState } from 'react';
import { errorText } from '../../client/error-words.ts';
import {
  askOutlook,
  errorsOf,
  missingWords,
  type Outlook,
  type OutlookWords,
  outlookWords,
} from '../../client/outlook.ts';
import { type ArgumentField, showValue } from '../../domain/argument-fields.ts';
import type { ArgumentError, FormErrors } from '../../domain/filled-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import { characters } from '../characters.ts';
import { type Colour, cells, line, paragraph, type Span, typed } from '../line.ts';
import type { Press } from '../presses.ts';
import { type Body, type ScreenProps, useLoaded, usePresses, useScreenContext } from '../screen.ts';
import { windowAround } from '../windowed.ts';
import {
  createForm,
  type FormField,
  type FormState,
  focus,
  focusFirstError,
  placeErrors,
  pressField,
  readForm,
  shownText,
} from './form-state.ts';

const everyMs = 5_000;
const settleMs = 150;
const refreshMs = 5_000;
const toneColours: Readonly<Record<OutlookWords['tone'], Colour>> = {
  good: 'green',
  wait: 'yellow',
  bad: 'red',
  open: 'gray',
};

export function FormScreen({ isActive, jobId }: ScreenProps & { readonly jobId: string }): Body {
  const { client, rows, columns } = useScreenContext();
  const { value: job, error } = useLoaded({ isActive, key: jobId, everyMs }, (signal) =>
    client.call('getJob', { path: { job_id: jobId }, signal }),
  );
  const empty = useMemo(() => job && createForm(job.args), [job && JSON.stringify(job.args)]);
  const [filled, setFilled] = useState<FormState | null>(null);
  /** Whether the user has typed something or has tried to start a run. From then on, errors are shown. */
  const [isBegun, setBegun] = useState(false);
  const form = filled ?? empty;
  const { args, fieldErrors: own } = useMemo(
    () => (form ? readForm(form) : { args: {}, fieldErrors: new Map() }),
    [form],
  );
  const outlook = useOutlook(isActive && form !== null, jobId, args);
  const errors = useMemo(
    () => (form ? placeErrors(form, outlook?.kind === 'errors' ? outlook.errors : [], own) : noErrors),
    [form, outlook, own],
  );
  const { startError, isStarting, start, refuse, forget } = useStart(jobId, args, (found) => {
    // Only the errors of this start say where to move the focus, because `outlook` may still belong to earlier
    // arguments.
    if (form) setFilled(focusFirstError(form, found, own));
  });

  const isOnStart = form !== null && form.focused === form.fields.length;
  const keys = isOnStart
    ? 'Enter: start  ↑↓ Tab: fields  q: back  ?: help'
    : `Tab ↑↓: fields  ${keysOf(form?.fields[form.focused]?.field)}Ctrl-S: start  Esc: back`;
  usePresses(isActive, keys, (press) => form !== null && onPress(form, press));

  function onPress(form: FormState, press: Press): boolean {
    if (press.key === 'ctrl-s' || (press.key === 'enter' && isOnStart)) {
      setBegun(true);
      // `args` lacks the values that cannot be read, so the server would start a run without them.
      if (own.size > 0) refuse([]);
      else void start();
      return true;
    }
    const next = pressField(form, press) ?? focusedBy(form, press.key);
    // On other screens these digits open the lists of jobs and runs. Here they do nothing, so that the form is not
    // lost.
    if (next === null) return press.key === '1' || press.key === '2';
    if (next.fields !== form.fields) {
      setBegun(true);
      forget();
    }
    setFilled(next);
    return true;
  }

  if (!isActive) return null;
  if (!job || !form) return line([error === null ? 'loading…' : { text: error, colour: 'red' }]);
  const words = startError === null ? wordsOf(outlook, errors, isBegun) : null;
  const shownErrors = isBegun ? errors.byField : noErrors.byField;
  const summary: Span = words
    ? { text: [words.text, ...errors.others].join('; '), colour: toneColours[words.tone] }
    : { text: startError ?? '', colour: 'red' };
  const { start: first, end } = windowAround(form.fields.length + 1, form.focused, rows - 6);
  const drawn = [...form.fields, null].slice(first, end);
  return h(
    Box,
    { flexDirection: 'column', height: rows },
    line([{ text: job.id, isBold: true }, `  ${job.title ?? ''}`], 'title'),
    ...drawn.map((field, offset) => {
      const index = first + offset;
      const isFocused = index === form.focused;
      return field
        ? fieldLine(field, isFocused, shownErrors.get(index), columns, index)
        : line(
            [{ text: isStarting ? '  Starting…' : '  [ Start ]', isBold: isFocused, isInverse: isFocused }],
            'start',
          );
    }),
    h(Box, { key: 'space', flexGrow: 1 }),
    paragraph({ text: aboutOf(form, job.description), colour: 'gray' }, 2, 'about'),
    line([{ text: shownErrors.get(form.focused) ?? '', colour: 'red' }], 'error'),
    paragraph(summary, 2, 'outlook'),
  );
}

function wordsOf(outlook: Outlook | null, { byField, others }: FormErrors, isBegun: boolean): OutlookWords {
  if (isBegun || byField.size === 0 || others.length > 0) return outlookWords(outlook, byField.size + others.length);
  return { text: missingWords(byField.size), tone: 'open' };
}

/** @param onErrors called with the server's errors if it refuses the arguments */
function useStart(jobId: string, args: JsonObject, onErrors: (found: readonly ArgumentError[]) => void) {
  const { client, open, ensureStarted, epoch } = useScreenContext();
  const [startError, setStartError] = useState<string | null>(null);
  const [isStarting, setStarting] = useState(false);
  /**
   * Stays the same until an argument changes or the run has started. So a repeated request starts no second run if the
   * answer to the first one was lost.
   */
  const startKey = useRef(randomUUID());
  // Once the server is reachable again, the error of an earlier start is removed.
  useEffect(() => setStartError(null), [epoch]);
  async function start(): Promise<void> {
    if (isStarting) return;
    setStarting(true);
    setStartError(null);
    try {
      const headers = { 'idempotency-key': startKey.current };
      const { run_id: runId } = await client.call('createRun', { body: { job_id: jobId, args }, headers });
      startKey.current = randomUUID();
      ensureStarted(runId);
      open({ name: 'run', runId });
    } catch (error) {
      const found = errorsOf(error);
      if (!found) return setStartError(errorText(error));
      refuse(found.errors);
    } finally {
      setStarting(false);
    }
  }
  function refuse(found: readonly ArgumentError[]): void {
    setStartError('Some arguments need attention.');
    onErrors(found);
  }
  /** Called when an argument changes, because the next start is then a different request. */
  function forget(): void {
    startKey.current = randomUUID();
    setStartError(null);
  }
  return { startError, isStarting, start, refuse, forget };
}

/** Asks the server about the arguments whenever typing pauses; null: it has not answered yet. */
function useOutlook(isActive: boolean, jobId: string, args: JsonObject): Outlook | null {
  const { client, epoch } = useScreenContext();
  const [outlook, setOutlook] = useState<Outlook | null>(null);
  const key = JSON.stringify(args);
  // The effect depends on `key` instead of `args`, which is a new object each time. `epoch` changes when the server is
  // reachable again.
  useEffect(() => {
    if (!isActive) return undefined;
    const ending = new AbortController();
    const { signal } = ending;
    const ask = async (): Promise<void> => {
      const answer = await askOutlook(client, { job_id: jobId, args }, signal);
      if (!signal.aborted) setOutlook(answer);
    };
    const timer = setTimeout(() => void ask(), settleMs);
    // Asks again from time to time, because the reason why the run would wait may no longer exist.
    const refresh = setInterval(() => void ask(), refreshMs);
    return () => {
      clearTimeout(timer);
      clearInterval(refresh);
      ending.abort();
    };
  }, [client, isActive, jobId, key, epoch]);
  return outlook;
}

const noErrors: FormErrors = { byField: new Map(), others: [] };

function focusedBy(form: FormState, key: string): FormState | null {
  if (key === 'tab' || key === 'down' || key === 'enter') return focus(form, form.focused + 1);
  return key === 'shift-tab' || key === 'up' ? focus(form, form.focused - 1) : null;
}

function keysOf(field: ArgumentField | undefined): string {
  if (field?.kind === 'list') return 'Enter: add  ';
  return field?.kind === 'boolean' || field?.kind === 'choice' ? 'Space ←→: change  ' : '';
}

function aboutOf({ fields, focused }: FormState, description: string | null): string {
  const { field, edit } = fields[focused] ?? {};
  if (!field) return description ?? '';
  const kind = field.itemKind ? `list of ${field.itemKind}` : field.kind;
  const choices =
    field.kind === 'choice' || field.itemKind === 'choice' ? field.choices.map(showValue).join(' | ') : '';
  const example = field.examples[0] === undefined ? '' : `e.g. ${showValue(field.examples[0])}`;
  const isUnset = (field.kind === 'choice' || field.kind === 'boolean') && edit?.text === '';
  const fallback = isUnset && field.defaultValue !== undefined ? `default ${showValue(field.defaultValue)}` : '';
  const facts = [kind, choices, ...field.constraints, fallback, example].filter((fact) => fact !== '').join(', ');
  return [field.description ?? field.title, facts].filter(Boolean).join(' · ');
}

function fieldLine(
  formField: FormField,
  isFocused: boolean,
  error: string | undefined,
  columns: number,
  index: number,
): ReactElement {
  const { field } = formField;
  const nameWidth = Math.min(28, Math.floor(columns * 0.3));
  const valueWidth = Math.floor((columns - nameWidth) * 0.55);
  return cells(
    [
      {
        width: nameWidth,
        spans: [
          isFocused ? { text: '❯ ', colour: 'cyan' } : '  ',
          { text: field.path.join('.'), isBold: isFocused },
          ...(field.isRequired ? [{ text: '*', colour: 'yellow' } as const] : []),
        ],
      },
      { width: valueWidth, spans: valueSpans(formField, isFocused, valueWidth - 1) },
      { spans: [error === undefined ? '' : { text: `✗ ${error}`, colour: 'red' }] },
    ],
    index,
  );
}

function valueSpans(formField: FormField, isFocused: boolean, width: number): Span[] {
  const { field, edit, items } = formField;
  const shown = shownText(formField);
  const isEmpty = edit.text === '' && items.length === 0;
  if (field.kind === 'boolean' || field.kind === 'choice') {
    const value: Span = isEmpty ? { text: '–', colour: 'gray' } : { text: shown };
    return isFocused ? [{ text: '‹ ' }, value, { text: ' ›' }] : [value];
  }
  const fallback: Span = {
    text: field.defaultValue === undefined ? '' : showValue(field.defaultValue),
    colour: 'gray',
  };
  if (!isFocused) return isEmpty ? [fallback] : [{ text: shown.replace(/, $/, '') }];
  if (isEmpty) return [...typed('', 0, width), fallback];
  // In a list, only the last item can be edited. A secret is shown with as many dots as it has characters.
  const added = shown.slice(
    0,
    shown.length - (shown.endsWith(edit.text) ? edit.text.length : characters(edit.text).length),
  );
  const ownText = shown.slice(added.length);
  const cursor = ownText === edit.text ? edit.cursor : characters(edit.text.slice(0, edit.cursor)).length;
  return typed(shown, added.length + cursor, width);
}
