// Hints about variables that a script expects but a job does not have: secrets, arguments, and variables of a login.

import type { FailedAttempt, LineRule } from './failed-attempt.ts';

export const variableRules: readonly LineRule[] = [
  {
    says: /(?:^|: )([A-Za-z_]\w*): (?:unbound variable|parameter not set|parameter null or not set)$/,
    hint: ([, name = ''], failed) => hintForVariable(name, failed),
  },
  {
    says: /^KeyError: '([A-Z_][A-Z0-9_]*)'$/,
    hint: ([, name = ''], failed) =>
      failed.lines.own.some((line) => /raise KeyError\(key\) from None|os\.environ/.test(line))
        ? hintForVariable(name, failed)
        : undefined,
  },
];

/** Names are compared in lower case: no two arguments differ only in case. */
function hintForVariable(name: string, { plan, isolation }: FailedAttempt): string | undefined {
  const wanted = name.toLowerCase();
  const properties = plan.job.argspec.properties;
  const names = typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
  const argument = names.find((one) => one.toLowerCase() === wanted);
  if (argument !== undefined && plan.job.secretArgs.includes(argument)) {
    // A variable must not have the name of an argument.
    const variable = name === argument ? name.toUpperCase() : name;
    const passed =
      variable === argument ? '' : `, or pass it on as $${variable} with \`env: {${variable}: {secret: ${argument}}}\``;
    return `a secret is not a variable: read it from the file "$FLWD_SECRETS_DIR/${argument}"${passed}`;
  }
  if (argument !== undefined && argument !== name)
    return `the argument is in the variables $${argument} (bash) and $FLWD_ARG_${argument.toUpperCase()}, not in $${name}`;
  if (argument !== undefined || isolation.environment === 'server' || name !== name.toUpperCase()) return undefined;
  return `a job does not get the variables of a login: set ${name} under \`env\` in config.yaml, or make it an argument`;
}
