// A key in Dagu's files has the form `retryPolicy` or, since version 2, `retry_policy`.

import { type Data, isMembers, type Members } from './import-file.ts';

/** Returns the members with their names in version 1. */
export function daguMembers(data: Data | undefined): Members {
  if (!isMembers(data)) return {};
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}
