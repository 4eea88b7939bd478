// Hints about variables that a script expects but a job does not have: secrets, arguments, and variables of a login.

import { nearest } from '../../../lib/nearest.ts';
import type { FailedAttempt, LineRule } from './failed-attempt.ts';

/** The variables that exec/proc/environment.ts sets in every run, and what each is for. */
export const variablesOfEveryRun: Readonly<Record<string, string>> = {
  FLWD_ARTIFACTS_DIR: 'the folder for files to keep',
  FLWD_OUTPUT_FILE: 'the file for outputs',
  FLWD_RESULT_FILE: 'the file for the result',
  FLWD_SECRETS_DIR: 'the folder with the secrets',
  FLWD_ARGS_FILE: 'the file with the arguments',
  FLWD_JOB_DIR: 'the folder of the job',
  FLWD_WORKSPACE: 'the folder to work in',
  FLWD_JOB_ID: 'the id of the job',
  FLWD_RUN_ID: 'the id of the run',
  FLWD_STEP_ID: 'the id of the step',
  FLWD_TENANT: 'the tenant',
  FLWD_ATTEMPT: 'the number of the attempt',
};

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
  const wanted = name.toLowerCase().replace(/^flwd_arg_/, '');
  const properties = plan.job.argspec.properties;
  const names = typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
  const argument = names.find((one) => one.toLowerCase() === wanted);
  if (argument !== undefined && plan.job.secretArgs.includes(argument)) {
    // A variable must not have the name of an argument.
    const variable = name === argument || isOwn(name) ? argument.toUpperCase() : name;
    const passed =
      variable === argument ? '' : `, or pass it on as $${variable} with \`env: {${variable}: {secret: ${argument}}}\``;
    return `a secret is not a variable: read it from the file "$FLWD_SECRETS_DIR/${argument}"${passed}`;
  }
  if (isOwn(name)) return hintForOwn(name, names);
  if (argument !== undefined && argument !== name)
    return `the argument is in the variables $${argument} (bash) and $FLWD_ARG_${argument.toUpperCase()}, not in $${name}`;
  if (argument !== undefined || isolation.environment === 'server' || name !== name.toUpperCase()) return undefined;
  return `a job does not get the variables of a login: set ${name} under \`env\` in config.yaml, or make it an argument`;
}

/** Whether only flwd itself can set the variable: `env` cannot. */
function isOwn(name: string): boolean {
  return name.startsWith('FLWD_');
}

function hintForOwn(name: string, argumentNames: readonly string[]): string {
  if (name === 'FLWD_SCHEDULED_AT')
    return 'only runs of schedules and backfills have this variable: if the job also has other runs, write ${FLWD_SCHEDULED_AT:-}';
  if (name.startsWith('FLWD_ARG_')) return hintForArgument(name, argumentNames);
  if (name.startsWith('FLWD_STEP_') && name !== 'FLWD_STEP')
    return `a step gets the outputs of the steps that it \`needs\`, and no such step has one for ${name}: a step writes its outputs as \`key=value\` to its $FLWD_OUTPUT_FILE`;
  if (name === 'FLWD_ITEM')
    return 'only a step with `foreach` has this variable, for items shorter than 128 KiB: if other steps run the script, too, write ${FLWD_ITEM:-}';
  if (name.startsWith('FLWD_MATRIX_'))
    return `only a step whose \`matrix\` has a value for it gets this variable: if other steps run the script, too, write \${${name}:-}`;
  const lead = `flwd sets no variable ${name}`;
  const meant = meantBy(name);
  if (meant.length === 0) return `${lead}: docs/jobs.md lists those that a script gets`;
  return `${lead}: use ${meant.map((one) => `$${one}, ${variablesOfEveryRun[one]}`).join(', or ')}`;
}

function hintForArgument(name: string, argumentNames: readonly string[]): string {
  const variables = argumentNames.map((one) => `FLWD_ARG_${one.toUpperCase()}`);
  if (variables.includes(name))
    return `the run has no value for this argument, or one that is only in the file $FLWD_ARGS_FILE: give the argument a \`default\`, or write \${${name}:-}`;
  const near = nearest(name, variables);
  return `the job has no argument for ${name}${near === undefined ? '' : `: use $${near}`}`;
}

/** Returns several variables if all of them begin with the name. */
function meantBy(name: string): readonly string[] {
  const known = Object.keys(variablesOfEveryRun);
  if (/^FLWD_(?:(?:OUT|OUTPUTS?|RESULTS?)_(?:DIR|FOLDER)|ARTIFACTS?_(?:DIR|FOLDER|PATH))$/.test(name))
    return ['FLWD_ARTIFACTS_DIR'];
  const longer = known.filter((one) => one.startsWith(`${name}_`));
  const near = nearest(name, known);
  return longer.length > 0 || near === undefined ? longer : [near];
}
