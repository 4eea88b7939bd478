// What a schedule that starts nothing lacks, in two words, for every interface.

/** A calendar is all that a schedule itself can name wrongly. Not by the table of problems: a browser would load it. */
export function denialWords({ type }: { readonly type: string }): 'No calendar' | 'Not allowed' {
  return type.endsWith('/job-invalid') ? 'No calendar' : 'Not allowed';
}
