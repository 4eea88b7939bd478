// Limits how many errors Ajv stores. Otherwise Ajv could store half a million errors, and copy all of them for each
// `$ref` that finds one more: 50,000 errors took 6 s. The code that Ajv generates is changed so that it stores the
// first thousand errors and counts the rest.

const mostKept = 1_000;

/**
 * Changes the generated code, as a function for Ajv's option `code.process`. If a string from a schema looks like
 * generated code, the string is changed, too. The changed string is still valid, because the inserted code has no
 * quotes and no line ends.
 */
export function boundErrors(code: string): string {
  return code
    .replaceAll(
      /else \{vErrors\.push\((\w+)\);\}errors\+\+;/g,
      `else if(errors < ${mostKept}){vErrors.push($1);}errors++;`,
    )
    .replaceAll(
      /vErrors = vErrors === null \? ([\w.]+)\.errors : vErrors\.concat\(\1\.errors\);errors = vErrors\.length;/g,
      `vErrors = vErrors === null ? $1.errors : errors < ${mostKept} ? vErrors.concat($1.errors) : vErrors;errors += $1.errorCount;`,
    )
    .replaceAll(/vErrors\.length = (\w+);/g, 'vErrors.length = Math.min($1, vErrors.length);')
    .replaceAll(/([\w.]+)\.errors = vErrors;return/g, '$1.errors = vErrors;$1.errorCount = errors;return');
}

/** The number of errors that the last call of a check found, including errors that were not stored. */
export function errorCountOf(check: object): number {
  return 'errorCount' in check && typeof check.errorCount === 'number' ? check.errorCount : 0;
}
