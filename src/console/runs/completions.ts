// What the query field of the runs offers while a user types: names of filters, then their values.

import { listedStatuses, triggerTypes } from '../../domain/run.ts';
import { type FilterName, filterNames } from './run-query.ts';

export type Completion = {
  /** The text that the completion inserts. */
  readonly text: string;
  /** Shown beside the text, in a quieter colour. */
  readonly note: string;
  /** The inserted word is complete, and becomes a token. */
  readonly isWhole: boolean;
};

export type KnownValues = Partial<Record<FilterName, readonly string[]>>;

const most = 8;

const meanings: Readonly<Record<FilterName, string>> = {
  job: 'a job; with / at the end, a namespace',
  status: 'in this status',
  label: 'with this label',
  '-label': 'without this label',
  by: 'who started it',
  trigger: 'what started it',
  since: 'created since a time, or within the last hours or days',
  until: 'created before a time',
  source: 'of jobs of this source',
  tenant: 'of this tenant',
};

const fixed: KnownValues = {
  status: listedStatuses,
  trigger: triggerTypes,
  since: ['1h', '24h', '7d', '30d'],
  until: ['1h', '24h', '7d'],
};

export function completionsOf(draft: string, known: KnownValues): readonly Completion[] {
  const [, name = '', begun = ''] = /^(-?[a-z]+):(.*)$/s.exec(draft) ?? [];
  const filter = filterNames.find((one) => one === name);
  if (filter) {
    const values = [...new Set([...(fixed[filter] ?? []), ...(known[filter] ?? [])])];
    return ranked(values, begun)
      .slice(0, most)
      .map((value) => ({ text: `${filter}:${value}`, note: '', isWhole: !value.endsWith('/') }));
  }
  const names = filterNames.filter((one) => one.startsWith(draft) || (draft.length > 1 && one.includes(draft)));
  return names.slice(0, filterNames.length).map((one) => ({ text: `${one}:`, note: meanings[one], isWhole: false }));
}

/** Returns the values that begin with the text, and then those that contain it. */
function ranked(values: readonly string[], text: string): readonly string[] {
  const wanted = text.toLowerCase();
  const [first, then]: [string[], string[]] = [[], []];
  for (const value of values) {
    const at = value.toLowerCase().indexOf(wanted);
    if (at === 0) first.push(value);
    else if (at > 0) then.push(value);
  }
  return [...first, ...then];
}
