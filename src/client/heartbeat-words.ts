// Says whether the calls of a schedule's heartbeat URL succeeded, for every interface.

type Calls = {
  readonly last_called_at: string | null;
  readonly last_failed_at: string | null;
  readonly last_error: string | null;
};

export type HeartbeatState =
  | { readonly kind: 'none' }
  | { readonly kind: 'called'; readonly at: string }
  | { readonly kind: 'failed'; readonly at: string; readonly why: string };

/** The outcome of the last call. An earlier failure no longer matters once a later call has succeeded. */
export function heartbeatState({
  last_called_at: called,
  last_failed_at: failed,
  last_error: why,
}: Calls): HeartbeatState {
  if (failed !== null && (called === null || Date.parse(called) < Date.parse(failed)))
    return { kind: 'failed', at: failed, why: why ?? '' };
  return called === null ? { kind: 'none' } : { kind: 'called', at: called };
}
