// Names the instances of a step. A `foreach` numbers them, but people know them by their items.

type Instance = { readonly step_id: string; readonly item?: string | null };

/** Longer items do not fit into a row. */
const longestItem = 40;

/** Returns the item of an instance if it can serve as a name; otherwise null. */
export function itemName({ item = null }: Pick<Instance, 'item'>): string | null {
  return item !== null && item.trim() !== '' && item.length <= longestItem ? item : null;
}

/** Returns the id, which commands accept, and the item: `deploy[1] (db2.fra)`. */
export function stepLabel(step: Instance): string {
  const item = itemName(step);
  return item === null ? step.step_id : `${step.step_id} (${item})`;
}
