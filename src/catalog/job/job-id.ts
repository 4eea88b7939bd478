// A job's id: its source's mountPath and its directory's path, segment by segment as they are spelled.

const segmentPattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** What the API takes as a job_id. */
const idLimit = 512;

/** `ops` + `backup/daily` → `ops/backup/daily`. Both are relative to nothing; `''` is the source's root. */
export function jobIdOf(mountPath: string, path: string): string {
  const mount = mountPath.split('/').filter((segment) => segment !== '' && segment !== '.');
  return [...mount, ...path.split('/')].filter((segment) => segment !== '').join('/');
}

/** Why the id cannot be one; undefined when it can. */
export function whatIsWrongWithId(id: string): string | undefined {
  if (id === '') return 'a job at the root of a source needs a mountPath that names it';
  if (id.length > idLimit) return `the job's id is longer than ${idLimit} characters`;
  for (const segment of id.split('/')) {
    if (segmentPattern.test(segment)) continue;
    return (
      `the directory name \`${printable(segment)}\` cannot be part of a job's id: ` +
      'letters, digits, `.`, `_` and `-`, the first of them a letter or digit'
    );
  }
  return undefined;
}

/** A file name as it can be shown: a control character could rewrite a terminal or a log. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\uFFFD');
}
