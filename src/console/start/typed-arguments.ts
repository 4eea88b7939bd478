// The arguments that a user types into a job's form, in fields or as JSON. They are kept as a draft until the job is
// started.

import { useCallback, useEffect, useMemo, useState } from 'react';
import type { ArgumentField } from '../../domain/argument-fields.ts';
import type { JsonObject } from '../../domain/job.ts';
import { useSession } from '../session/session.tsx';
import { draftOf, keepDraft } from './drafts.ts';
import type { EarlierRun } from './earlier-run.ts';
import {
  type FieldTexts,
  heldByNoField,
  isSecret,
  noTexts,
  type ReadArguments,
  readJsonText,
  readTexts,
  shownArguments,
  textsOf,
} from './form-texts.ts';

export type TypedArguments = {
  readonly filled: readonly FieldTexts[];
  /** The arguments as JSON; null: the user types them into fields. */
  readonly json: string | null;
  /** The fields that the user has typed into. */
  readonly touched: ReadonlySet<number>;
  readonly isTyped: boolean;
  readonly read: ReadArguments;
  readonly change: (index: number, next: FieldTexts) => void;
  readonly writeJson: (json: string) => void;
  /**
   * Fills in the arguments of an earlier run.
   * @returns the names of arguments that fit no field. If there are any, the form shows JSON.
   */
  readonly fillIn: (args: JsonObject) => readonly string[];
  /**
   * Switches between fields and JSON.
   * @returns the names of arguments that fit no field. If there are any, the form keeps showing JSON.
   */
  readonly turnOver: () => readonly string[];
};

export function useTypedArguments(
  jobId: string,
  fields: readonly ArgumentField[],
  earlier: EarlierRun | null,
): TypedArguments {
  const { signOuts } = useSession();
  const [draft] = useState(() => (earlier === null ? draftOf(jobId, signOuts) : null));
  const [filled, setFilled] = useState<readonly FieldTexts[]>(draft?.filled ?? []);
  const [touched, setTouched] = useState(() => typedInto(draft?.filled ?? []));
  const [json, setJson] = useState<string | null>(draft?.json ?? null);
  const read = useMemo(() => (json === null ? readTexts(fields, filled) : readJsonText(json)), [fields, filled, json]);

  const isTyped = touched.size > 0 || json !== null;
  const isRerun = earlier?.isRerun ?? false;
  useEffect(() => {
    if (isTyped && !isRerun) keepDraft(jobId, signOuts, fields, { filled, json });
  }, [jobId, signOuts, fields, filled, json, isTyped, isRerun]);

  const change = useCallback(
    (index: number, next: FieldTexts) => {
      setFilled((held) => fields.map((_, at) => (at === index ? next : (held[at] ?? noTexts))));
      setTouched((held) => new Set([...held, index]));
    },
    [fields],
  );
  /** Puts arguments into their fields. A secret that was typed before stays in its field. */
  function putIntoFields(args: ReadArguments['args']): void {
    setFilled((held) =>
      textsOf(fields, args).map((one, index) =>
        one.texts.length === 0 && isSecret(fields[index]) ? (held[index] ?? one) : one,
      ),
    );
  }
  function fillIn(args: JsonObject): readonly string[] {
    const unfit = heldByNoField(fields, args);
    putIntoFields(args);
    setJson((held) => (held === null && unfit.length === 0 ? null : JSON.stringify(args, null, 2)));
    return unfit;
  }
  function turnOver(): readonly string[] {
    if (json === null) {
      setJson(JSON.stringify(shownArguments(fields, filled, null), null, 2));
      return [];
    }
    const unfit = heldByNoField(fields, read.args);
    if (unfit.length > 0) return unfit;
    putIntoFields(read.args);
    setJson(null);
    return [];
  }
  return { filled, json, touched, isTyped, read, change, writeJson: setJson, fillIn, turnOver };
}

function typedInto(filled: readonly FieldTexts[]): ReadonlySet<number> {
  return new Set([...filled.entries()].flatMap(([index, { texts }]) => (texts.length > 0 ? [index] : [])));
}
