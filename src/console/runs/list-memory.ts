// The list of runs as it was left, for whoever comes back to it by the browser's Back.

import type { Client } from '../../client/client.ts';
import { newKey } from '../session/request-keys.ts';
import type { RunRows } from './run-rows.ts';

type Left = {
  readonly rows: RunRows;
  readonly scrolledPx: number;
  /** Of whoever has signed in since, nothing was left. */
  readonly client: Client;
};

let last: (Left & { readonly place: string }) | null = null;

/** The entry of the browser's history that is shown: it has the same when it is come back to. */
export function placeInHistory(): string {
  const { state } = window.history;
  if (typeof state?.place === 'string') return state.place;
  const place = newKey();
  window.history.replaceState({ ...state, place }, '');
  return place;
}

export function leaveList(place: string, left: Left): void {
  last = { ...left, place };
}

/** null: it is not the one that was left last. */
export function leftList(place: string, client: Client): Left | null {
  return last?.place === place && last.client === client ? last : null;
}
