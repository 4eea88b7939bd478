// Says in two words why a schedule starts nothing, for every interface.

/**
 * The only thing that a schedule itself can name wrongly is a calendar. The type is not looked up in the table of
 * problems, because a browser would have to load that.
 */
export function denialWords({ type }: { readonly type: string }): 'No calendar' | 'Not allowed' {
  return type.endsWith('/job-invalid') ? 'No calendar' : 'Not allowed';
}
