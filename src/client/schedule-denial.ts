// Says in two words why flwd does not let a schedule start runs, for every interface.

/**
 * `job-invalid` means that the schedule names a calendar that does not exist, because a schedule can have no other
 * error of its own. The problem's type is compared as text, so that a browser need not load the whole table of
 * problems.
 */
export function denialWords({ type }: { readonly type: string }): 'No calendar' | 'Not allowed' {
  return type.endsWith('/job-invalid') ? 'No calendar' : 'Not allowed';
}
