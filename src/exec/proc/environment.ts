// Builds the environment of an attempt: the shim, bwrap and the script get these variables and no others.

import { isSecretName } from '../../lib/secret-name.ts';
import { systemPath } from '../../lib/system-path.ts';
import type { AttemptSpec } from '../attempt-spec.ts';
import { placesOf } from '../script-places.ts';
import { toShellText } from '../shell-text.ts';

type Environment = Record<string, string>;

/** `isPrivate` means that the value may contain a secret, so it is never written to a file. */
export type Variable = { readonly name: string; readonly value: string; readonly isPrivate: boolean };

/** The kernel does not start a program with a longer `NAME=value`, including the NUL (execve(2), MAX_ARG_STRLEN). */
const longestVariableBytes = 128 * 1024;

/**
 * Variables of the server that are never passed on: flwd's own variables, those of traces, those of the shell that
 * started the server, and names that no shell can set.
 */
const serverOwn =
  /^(?:FLWD_.*|FLOWD_.*|TRACEPARENT|TRACESTATE|_|B?A?SH.*OPTS|SHLVL|PWD|OLDPWD|UID|EUID|PPID|BASH_.*|.*[^A-Za-z0-9_].*)$/;

export function attemptEnvironment(spec: AttemptSpec): Variable[] {
  const variables = new Map<string, Variable>();
  const add = (environment: Environment, isPrivate: boolean): void => {
    for (const [name, value] of Object.entries(environment)) variables.set(name, { name, value, isPrivate });
  };
  const ofHost = hostVariables(spec);
  const { plain, secret } = jobVariables(spec);
  const places = placesOf(spec);
  const { traceparent, tracestate } = spec.trace;
  add({ LANG: 'C.UTF-8' }, false);
  add(ofHost, true);
  add(
    {
      PATH: `${places.bin}:${ofHost.PATH ?? systemPath}`,
      ...userVariables(spec, places.workspace),
      ...argumentVariables(spec),
    },
    false,
  );
  add(plain, false);
  add(secret, true);
  // These variables may contain outputs of earlier steps, so they count as private.
  add(spec.variables, true);
  add(
    {
      FLWD_RUN_ID: spec.runId,
      FLWD_JOB_ID: spec.jobId,
      FLWD_STEP_ID: spec.stepId,
      FLWD_TENANT: spec.tenant,
      FLWD_ATTEMPT: String(spec.attempt),
      FLWD_WORKSPACE: places.workspace,
      FLWD_JOB_DIR: places.job,
      FLWD_ARGS_FILE: `${places.in}/args.json`,
      FLWD_RESULT_FILE: `${places.out}/result.json`,
      FLWD_OUTPUT_FILE: `${places.out}/output`,
      FLWD_ARTIFACTS_DIR: `${places.workspace}/artifacts`,
      FLWD_SECRETS_DIR: places.secrets,
      TRACEPARENT: traceparent,
      ...(tracestate !== undefined && { TRACESTATE: tracestate }),
      // Bash reads this file first. The file unsets the variable, so a bash that the script starts does not read it.
      ...(spec.action.ulcProfile === 'ulc.shell.bash' ? { BASH_ENV: places.prelude } : {}),
    },
    false,
  );
  return [...variables.values()];
}

function hostVariables({ profile, passthrough }: AttemptSpec): Environment {
  // Listing process.env takes 0.2 ms, so only the profile that passes on all variables does it.
  const names = profile === 'disabled' ? Object.keys(process.env).filter((name) => !isSecretName(name)) : passthrough;
  const variables: Environment = {};
  for (const name of names) {
    const value = serverOwn.test(name) ? undefined : process.env[name];
    if (value !== undefined) variables[name] = value;
  }
  return variables;
}

/** Sets HOME as cron does, to the user's own home, but only if the job can see that folder. */
function userVariables({ profile, runAs, read, write }: AttemptSpec, workspace: string): Environment {
  if (!runAs) return { HOME: workspace };
  const { user, home } = runAs;
  const isShown =
    profile !== 'secure' || [...read, ...write].some((path) => home === path || home?.startsWith(`${path}/`));
  return { HOME: isShown && home !== null ? home : workspace, USER: user, LOGNAME: user };
}

/** FLWD_ARG_<NAME> for each scalar. A value that is too long for a variable is only in the file with all arguments. */
function argumentVariables({ args }: AttemptSpec): Environment {
  const variables: Environment = {};
  for (const [name, value] of Object.entries(args)) {
    if (typeof value === 'object' && value !== null) continue;
    const variable = `FLWD_ARG_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
    const text = toShellText(value);
    if (Buffer.byteLength(`${variable}=${text}`) < longestVariableBytes) variables[variable] = text;
  }
  return variables;
}

function jobVariables({ job, secrets }: AttemptSpec): { readonly plain: Environment; readonly secret: Environment } {
  const plain: Environment = {};
  const secret: Environment = {};
  for (const [name, value] of Object.entries(job.env)) {
    if (typeof value === 'string') plain[name] = value;
    else {
      const text = secrets.get(value.secret);
      if (text !== undefined) secret[name] = text;
    }
  }
  return { plain, secret };
}
