// Keeps Ajv from holding an object for each of half a million errors, and from copying them all for each `$ref` that finds
// one more (50,000 took 6 s): the code that it generates keeps the first thousand and counts them all.

const mostKept = 1_000;

/**
 * For Ajv's option `code.process`. No quote and no line end comes in, so that a text of the schema that reads like
 * generated code stays a text.
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

/** How many errors the last call of a check found, kept or not. */
export function errorCountOf(check: object): number {
  return 'errorCount' in check && typeof check.errorCount === 'number' ? check.errorCount : 0;
}
