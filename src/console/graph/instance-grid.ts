// Arranges the instances of a step with `matrix` or `foreach` as a grid. The last variable of a matrix runs across, and
// the other variables run down.

import { itemName } from '../../domain/outcome/step-label.ts';
import { harmless } from '../words.ts';

export type Grid<T> = {
  /**
   * The variable whose values name the rows. Empty if the rows have no names, or if their names include the variables.
   */
  readonly corner: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly (T | null)[] }[];
};

type Instance = { readonly step_id: string; readonly item?: string | null };
type Variables = ReadonlyMap<string, string>;

/** How many instances share a row if they have no names. */
const mostAcross = 10;

export function gridOf<T extends Instance>(instances: readonly T[]): Grid<T> {
  const all = instances.map((instance) => ({ instance, variables: variablesOf(instance.step_id) }));
  const names = [...(all[0]?.variables.keys() ?? [])];
  const [last] = names.slice(-1);
  const isMatrix = last !== undefined && all.every(({ variables }) => names.every((name) => variables.has(name)));
  if (!isMatrix || names.length < 2) return listed(instances);
  const down = names.slice(0, -1);
  const rowOf = (variables: Variables): string =>
    down.length === 1
      ? (variables.get(names[0] ?? '') ?? '')
      : down.map((name) => `${name}=${variables.get(name)}`).join(' ');
  const columns = [...new Set(all.map(({ variables }) => variables.get(last) ?? ''))];
  const rows = [...Map.groupBy(all, ({ variables }) => rowOf(variables))].map(([name, ofRow]) => ({
    name,
    cells: columns.map((column) => ofRow.find(({ variables }) => variables.get(last) === column)?.instance ?? null),
  }));
  return { corner: down.length === 1 ? (down[0] ?? '') : '', columns, rows };
}

/** A few instances get a row each, with a name. Many instances share rows. */
function listed<T extends Instance>(instances: readonly T[]): Grid<T> {
  const mostNamed = 6;
  const across = instances.length <= mostNamed ? 1 : mostAcross;
  const rows = Array.from({ length: Math.ceil(instances.length / across) }, (_, row) => {
    const cells = instances.slice(row * across, (row + 1) * across);
    return { name: across === 1 && cells[0] ? instanceName(cells[0]) : '', cells };
  });
  return { corner: '', columns: [], rows };
}

/**
 * Returns the variables in the id of an instance, such as `node=24 db=pg`. For an instance of `foreach`, returns its
 * item, or the number of the item (`item 3`).
 */
export function instanceName({ step_id: stepId, item = null }: Instance): string {
  const inner = innerOf(stepId);
  if (inner === null) return stepId;
  if (!/^\d+$/.test(inner)) return [...variablesOf(stepId)].map((pair) => pair.join('=')).join(' ');
  const name = itemName({ item });
  return name === null ? `item ${Number(inner) + 1}` : harmless(name);
}

/** The full name of a step, such as "test node=24 db=pg", for places that do not show its group. */
export function stepName(step: Instance): string {
  const { step_id: id } = step;
  return innerOf(id) === null ? id : `${id.slice(0, id.indexOf('['))} ${instanceName(step)}`;
}

function innerOf(stepId: string): string | null {
  return /^[^[]+\[(.*)\]$/s.exec(stepId)?.[1] ?? null;
}

/** Values may contain commas; names of variables do not. */
function variablesOf(stepId: string): Variables {
  const parts = (innerOf(stepId) ?? '').split(/,(?=[A-Za-z_][\w-]*=)/);
  return new Map(
    parts.flatMap((part): [string, string][] => {
      const at = part.indexOf('=');
      return at < 0 ? [] : [[part.slice(0, at), part.slice(at + 1)]];
    }),
  );
}
