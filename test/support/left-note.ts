// Most jobs in tests leave files, and their logs say so. Most tests want to see only the other lines.

/** Whether a line of a log says which files the run has left behind. */
export function isLeftNote(message: string): boolean {
  return / left in the workspace or \/tmp (?:is|are) not kept: /.test(message);
}
