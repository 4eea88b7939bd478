// The row of names above the columns of a plain table.

import type { ReactNode } from 'react';

export function HeadRow({ names }: { readonly names: readonly string[] }): ReactNode {
  return (
    <tr>
      {names.map((name) => (
        <th key={name} scope="col">
          {name}
        </th>
      ))}
    </tr>
  );
}
