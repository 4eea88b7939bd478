// A job's id: the mountPath of its source, then the path of its directory. Both keep their spelling.

const segmentPattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** The longest job_id that the API accepts. */
const idLimit = 512;

/** For example `ops` and `backup/daily` give `ops/backup/daily`. `''` is the source's root. */
export function jobIdOf(mountPath: string, path: string): string {
  const mount = mountPath.split('/').filter((segment) => segment !== '' && segment !== '.');
  return [...mount, ...path.split('/')].filter((segment) => segment !== '').join('/');
}

/** Says why this cannot be a job's id; undefined when it can. */
export function whatIsWrongWithId(id: string): string | undefined {
  if (id === '') return 'a job at the root of a source needs a mountPath that names it';
  if (id.length > idLimit) return `the job's id is longer than ${idLimit} characters`;
  for (const segment of id.split('/')) {
    if (segmentPattern.test(segment)) continue;
    return (
      `the folder name \`${printable(segment)}\` cannot be part of a job's id: ` +
      'use letters, digits, `.`, `_` and `-`, and begin with a letter or digit'
    );
  }
  return undefined;
}

/** Makes a file name safe to show. A control character could change what a terminal or a log shows. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\uFFFD');
}
