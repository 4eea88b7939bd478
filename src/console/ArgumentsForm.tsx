// The fields of a job, nested as its schema nests them.

import type { ReactNode } from 'react';
import type { ArgumentField } from '../domain/argument-fields.ts';
import { Field } from './Field.tsx';
import { type FieldTexts, noTexts } from './form-texts.ts';

type Entry = { readonly field: ArgumentField; readonly index: number };

type Shared = {
  readonly filled: readonly FieldTexts[];
  readonly faults: ReadonlyMap<number, string>;
  readonly change: (index: number, filled: FieldTexts) => void;
};

export function ArgumentsForm(o: Shared & { readonly fields: readonly ArgumentField[] }): ReactNode {
  if (o.fields.length === 0) return <p className="quiet">The job takes no arguments.</p>;
  return <Members entries={o.fields.map((field, index) => ({ field, index }))} depth={0} shared={o} />;
}

/** Members that follow each other below the same name stand in a group of that name. */
function Members(o: {
  readonly entries: readonly Entry[];
  readonly depth: number;
  readonly shared: Shared;
}): ReactNode {
  const { entries, depth, shared } = o;
  const names = [...new Set(entries.map(({ field }) => field.path[depth] ?? ''))];
  return names.map((name) => {
    const below = entries.filter(({ field }) => field.path[depth] === name);
    const [first] = below;
    if (first && first.field.path.length === depth + 1) {
      const { field, index } = first;
      return (
        <Field
          key={name}
          id={`field-${index}`}
          field={field}
          filled={shared.filled[index] ?? noTexts}
          fault={shared.faults.get(index)}
          change={(filled) => shared.change(index, filled)}
        />
      );
    }
    return (
      <fieldset key={name}>
        <legend>{name}</legend>
        <Members entries={below} depth={depth + 1} shared={shared} />
      </fieldset>
    );
  });
}
