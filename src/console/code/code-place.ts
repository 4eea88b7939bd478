// The file, revision and line that the Code tab shows. They are in the URL.

import { useLocation, useSearch } from 'wouter';

export type CodePlace = {
  /** null: config.yaml is shown, or else the first file. */
  readonly file: string | null;
  /** null: the files are shown as they are now. */
  readonly revision: string | null;
  /** The revision to compare with; null: nothing is compared. */
  readonly against: string | null;
  readonly line: number | null;
};

export type CodeAddress = {
  readonly place: CodePlace;
  readonly hrefOf: (place: CodePlace) => string;
  readonly go: (place: CodePlace) => void;
};

/** Reads the place from the URL, and writes it there. Everything else in the URL stays, such as the tab. */
export function useCodePlace(): CodeAddress {
  const [path, navigate] = useLocation();
  const search = useSearch();
  const asked = new URLSearchParams(search);
  const place = {
    file: asked.get('file'),
    revision: asked.get('revision'),
    against: asked.get('against'),
    line: Number(asked.get('line')) || null,
  };
  const hrefOf = (next: CodePlace): string => {
    const query = new URLSearchParams(search);
    for (const [name, value] of Object.entries(next)) {
      if (value === null) query.delete(name);
      else query.set(name, String(value));
    }
    return `${path}?${query.toString()}`;
  };
  return { place, hrefOf, go: (next) => navigate(hrefOf(next), { replace: true }) };
}
