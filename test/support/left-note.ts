// Most jobs of tests leave files, and their logs say so: what most tests want to see is the rest.

/** Whether a line of a log is the one by which a run says what it left where nothing keeps it. */
export function isLeftNote(message: string): boolean {
  return / left in the workspace or \/tmp (?:is|are) not kept: /.test(message);
}
